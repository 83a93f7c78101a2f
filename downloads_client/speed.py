"""The recent speed of something, from samples."""

from __future__ import annotations

import math

WINDOW_SECONDS = 5.0  # older samples count little
MIN_SAMPLE_SECONDS = 0.2  # closer samples are merged: their speeds would jump about


class SpeedMeter:
    """Amount per second, smoothed exponentially. The caller passes the time."""

    def __init__(self, done: float, now: float) -> None:
        self._done, self._at = done, now
        self.per_second: float | None = None

    def update(self, done: float, now: float) -> None:
        passed = now - self._at
        if passed < MIN_SAMPLE_SECONDS:
            return
        rate = max(done - self._done, 0) / passed
        weight = 1.0 if self.per_second is None else -math.expm1(-passed / WINDOW_SECONDS)
        before = self.per_second or 0.0
        self.per_second = (before + weight * (rate - before)) if rate or before else None
        self._done, self._at = done, now

    def seconds_left(self, left: float) -> float | None:
        """Return the seconds that `left` more will take, or None while (almost) nothing moves."""
        return left / self.per_second if self.per_second and self.per_second >= 1 else None
