"""Lines of the log that are written without `logging`, which is slow, locks, and needs settings.

For the event loop of the web process, for signal handlers, and for errors in settings.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime


class LineFormat:
    """Set by `configure_logs`."""

    is_json = False
    has_info = True  # lines of the level INFO are written
    more_fields: Callable[[], dict[str, str]] | None = None  # the ids of the trace


def log_line(event: str, *, level: str = "info", **fields: object) -> str:
    """Return a line as `logs.py` renders it."""
    if LineFormat.more_fields:
        fields |= LineFormat.more_fields()
    if LineFormat.is_json:
        return f"{json.dumps({'event': event, **fields, 'level': level, 'timestamp': now()})}\n"
    pairs = "".join(f" {name}={value}" for name, value in fields.items())
    return f"{now()} [{level:9}] {event}{pairs}\n"


def now() -> str:
    """Return the time in UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def write_line_at_once(text: str, level: str) -> None:
    """Write a line to stderr. It takes no lock, so signal handlers may call it."""
    with suppress(OSError):  # closed
        os.write(2, log_line(text, level=level).encode())


class BatchedLines:
    """Writes the lines of one iteration of the event loop together, to stdout."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """Add a line. Call it from the event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        if not self._lines:
            return
        text, self._lines = "".join(self._lines), []
        with suppress(OSError):  # closed
            sys.stdout.write(text)
            sys.stdout.flush()


batched_lines = BatchedLines()
