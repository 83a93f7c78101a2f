"""Retries with exponential backoff, for a limited time."""

from __future__ import annotations

import time
from collections.abc import Callable

from downloads_client.failures import Failure

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0


class Retry:
    """The retries of one operation. `on_pause(message, seconds)` is called before each pause."""

    def __init__(self, for_seconds: float, on_pause: Callable[[str, float], None]) -> None:
        self._for_seconds = for_seconds
        self._on_pause = on_pause
        self.reset()

    def reset(self) -> None:
        """Start over, after a success."""
        self._pause = FIRST_PAUSE_SECONDS
        self._failing_since: float | None = None

    def wait(self, failure: Failure, retry_after: float | None = None) -> None:
        """Sleep before the next try, at least `retry_after` seconds.

        Raises `failure` if the time for retries would be exceeded.
        """
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        pause = max(self._pause, retry_after or 0)  # never hammer, also with `Retry-After: 0`
        if now + pause - self._failing_since > self._for_seconds:
            raise failure
        self._on_pause(str(failure), pause)
        time.sleep(pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
