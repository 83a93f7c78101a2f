"""The length of the queue, without counting it for each new job."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

CACHED_SECONDS = 1.0
# While the queue is full: refusing a flood costs little, and free room is noticed soon.
FULL_SECONDS = 0.05


class QueueDepth:
    """The number of due jobs: counted once a second, plus what this process has added since.

    What other processes add within that second is missing, so the queue may exceed its limit by
    that much. A number at or above the limit is at most FULL_SECONDS old. Thread-safe.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counted_at = 0.0
        self._counted: int | None = None
        self._added = 0  # since the count was started

    def known(self, limit: int) -> int | None:
        """Return the number; None if it is too old. Then the caller counts and calls `record`.

        Other callers get the old number meanwhile.
        """
        with self._lock:
            now = self._clock()
            if self._counted is None:
                return None
            depth = self._counted + self._added
            age = now - self._counted_at
            if age < (FULL_SECONDS if depth >= limit else CACHED_SECONDS):
                return depth
            self._counted_at = now
            self._counted, self._added = depth, 0
            return None

    def record(self, counted: int) -> None:
        """Save the number just counted. Jobs added meanwhile may count twice, for a second."""
        with self._lock:
            if self._counted is None:
                self._counted_at = self._clock()
            self._counted = counted

    def add(self) -> None:
        """Count one more due job."""
        with self._lock:
            self._added += 1

    def forget(self) -> None:
        """Make the next caller count."""
        with self._lock:
            self._counted, self._added = None, 0
