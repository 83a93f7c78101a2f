"""A timeout for a server: it must answer something while requests wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watchdog:
    """Calls `on_timeout` if requests wait and nothing arrives for `seconds`. Uses one timer."""

    def __init__(self, seconds: float, on_timeout: Callable[[], None]) -> None:
        self._seconds = seconds
        self._on_timeout = on_timeout
        self._since: float | None = None  # the last answer; None if no request waits
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the timeout, unless requests wait already."""
        loop = asyncio.get_running_loop()
        if self._since is None:
            self._since = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._check)

    def reset(self, *, is_waiting: bool) -> None:
        """Restart the timeout after an answer; stop it if no request waits."""
        self._since = asyncio.get_running_loop().time() if is_waiting else None

    def stop(self) -> None:
        self._since = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._since is None:
            return
        loop = asyncio.get_running_loop()
        left = self._since + self._seconds - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._check)
        else:
            self._on_timeout()
