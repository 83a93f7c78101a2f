"""How long a server may be silent while somebody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watchdog:
    """Calls `late` once nothing was heard for `seconds`. One timer, however many requests."""

    def __init__(self, seconds: float, late: Callable[[], None]) -> None:
        self._seconds = seconds
        self._late = late
        self._since: float | None = None  # nothing was heard; None: nobody waits
        self._timer: asyncio.TimerHandle | None = None

    def asked(self) -> None:
        """Somebody waits now, perhaps as others do."""
        loop = asyncio.get_running_loop()
        if self._since is None:
            self._since = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def heard(self, *, is_waiting: bool) -> None:
        """The server has said something; whether anybody still waits."""
        self._since = asyncio.get_running_loop().time() if is_waiting else None

    def stop(self) -> None:
        self._since = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        loop = asyncio.get_running_loop()
        left = self._since + self._seconds - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._look)
        else:
            self._late()
