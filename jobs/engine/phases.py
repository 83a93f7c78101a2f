"""How long the phases of an attempt take, for the log: load, build, store.

The line that ends the attempt has `load_seconds`, `build_seconds` and `store_seconds`. One that
ends in the middle has the `phase`, as have all lines that it writes meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Phases:
    """The phases of one attempt, one after another."""

    def __init__(self, *, on_start: Callable[[str], None], on_end: Callable[[], None]) -> None:
        """The callbacks are for the trace."""
        self._on_start, self._on_end = on_start, on_end
        self._phase = ""
        self._started_at = 0.0
        self._names: list[str] = []

    def start(self, phase: str) -> None:
        """End the phase before this one."""
        self.end()
        self._phase, self._started_at = phase, time.monotonic()
        self._on_start(phase)
        self._bind("phase", phase)
        log.debug(f"{phase} starts")

    def end(self) -> None:
        if self._phase:
            seconds = round(time.monotonic() - self._started_at, 3)
            self._on_end()
            structlog.contextvars.unbind_contextvars("phase")
            self._bind(f"{self._phase}_seconds", seconds)
        self._phase = ""

    def forget(self) -> None:
        """Remove the phases from later lines of this thread."""
        structlog.contextvars.unbind_contextvars(*self._names)

    def _bind(self, name: str, value: str | float) -> None:
        self._names.append(name)
        structlog.contextvars.bind_contextvars(**{name: value})
