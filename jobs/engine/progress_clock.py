"""Measure the speed of an attempt, and how long it has made no progress."""

from __future__ import annotations

import time
from collections import deque

SPEED_SECONDS = 5  # the speed is measured over so long
BUSY_SHARE = 0.1  # of one processor: above it, a process counts as computing
BUSY_SECONDS = 1  # the share is not meaningful over less


class ProgressSpeed:
    """Measures units a second over the last SPEED_SECONDS."""

    def __init__(self) -> None:
        self._seen = deque([(time.monotonic(), 0)])  # times, with the work done until then

    def after(self, done: int, now: float) -> int:
        self._seen.append((now, done))
        while now - self._seen[1][0] > SPEED_SECONDS:
            self._seen.popleft()
        began, before = self._seen[0]
        return max(round((done - before) / max(now - began, 0.001)), 0)


class ProgressClock:
    """Measures how long an attempt has made no progress. Two threads may use it."""

    def __init__(self) -> None:
        self._last: tuple[object, float, float] = None, time.monotonic(), time.process_time()

    def stalled_seconds(self, signs: object) -> float:
        """Return seconds since `signs` last changed or the process last computed."""
        before, since, cpu_seconds = self._last
        now, cpu_now = time.monotonic(), time.process_time()
        still = now - since
        is_busy = still > BUSY_SECONDS and cpu_now - cpu_seconds > BUSY_SHARE * still
        if signs != before or is_busy:
            self._last = signs, now, cpu_now
            return 0
        return still
