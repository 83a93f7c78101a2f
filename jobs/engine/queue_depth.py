"""How much waits, without counting it for each start."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

REMEMBERED_SECONDS = 1.0
# Of a full queue: so that a flood that is refused costs little, and the first room is found soon.
FULL_SECONDS = 0.05


class QueueDepth:
    """The number of due jobs: counted once a second, and what this process adds in between.

    What other processes add within that second is not seen. So the queue may get longer than its
    limit by what they add together in a second, and no longer. A number that refuses is never older
    than FULL_SECONDS. Threads may share it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._asked_at = 0.0
        self._counted: int | None = None
        self._added = 0  # since somebody set out to count

    def known(self, limit: int) -> int | None:
        """None: whoever asks shall count, and tell by `learn`. The others go on meanwhile."""
        with self._lock:
            now = self._clock()
            if self._counted is None:
                return None
            depth = self._counted + self._added
            age = now - self._asked_at
            if age < (FULL_SECONDS if depth >= limit else REMEMBERED_SECONDS):
                return depth
            self._asked_at = now
            self._counted, self._added = depth, 0
            return None

    def record(self, counted: int) -> None:
        """What was just counted. What was added meanwhile may count twice, for a second."""
        with self._lock:
            if self._counted is None:
                self._asked_at = self._clock()
            self._counted = counted

    def add(self) -> None:
        """One more is due."""
        with self._lock:
            self._added += 1

    def forget(self) -> None:
        with self._lock:
            self._counted, self._added = None, 0
