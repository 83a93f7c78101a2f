"""How long something that fails is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable

from downloads_client.errors import Failure

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0


class Patience:
    """For one thing that is tried. `tell` hears of each pause before it begins."""

    def __init__(self, seconds: float, tell: Callable[[str, float], None]) -> None:
        self._seconds = seconds
        self._tell = tell
        self.renew()

    def renew(self) -> None:
        """It worked: the next failure is a first one."""
        self._pause = FIRST_PAUSE_SECONDS
        self._failing_since: float | None = None

    def wait(self, failure: Failure, asked: float | None = None) -> None:
        """Pause, as long as was `asked` for; raises `failure` where that would take too long."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        pause = max(self._pause, asked or 0)  # "at once" is no reason to ask without a pause
        if now + pause - self._failing_since > self._seconds:
            raise failure
        self._tell(str(failure), pause)
        time.sleep(pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
