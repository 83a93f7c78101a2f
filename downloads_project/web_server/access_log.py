"""The access log: one line per request on stdout. The metrics count the same requests."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from downloads_project.web_server.request_metrics import observe_request


class AccessLog:
    """Writes the lines of one iteration of the event loop together.

    Lines have no query string: it may contain a secret, such as a signed link.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lines: list[str] = []

    def add(
        self, peer: str, request: str, status: int, size: int, *, seconds: float, request_id: str
    ) -> None:
        observe_request(request, status, seconds)
        if not self._lines:
            self._loop.call_soon(self.flush)
        if '"' in request:
            request = request.replace('"', '\\"')
        took = int(seconds * 1000)
        self._lines.append(
            f'{peer or "-"} "{request}" {status} {size} {took}ms {request_id or "-"}\n'
        )

    def flush(self) -> None:
        if not self._lines:
            return
        text, self._lines = "".join(self._lines), []
        with suppress(OSError):  # closed
            sys.stdout.write(text)
            sys.stdout.flush()
