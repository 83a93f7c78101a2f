"""How fast something goes, from what was seen of it lately."""

from __future__ import annotations

import math

REMEMBERED_SECONDS = 5.0  # what is older counts little
SHORTEST_SECONDS = 0.2  # closer looks are taken together: they would jump about


class Pace:
    """Amounts a second, smoothed. The caller says what time it is."""

    def __init__(self, done: float, now: float) -> None:
        self._done, self._at = done, now
        self.per_second: float | None = None

    def note(self, done: float, now: float) -> None:
        passed = now - self._at
        if passed < SHORTEST_SECONDS:
            return
        rate = max(done - self._done, 0) / passed
        weight = 1.0 if self.per_second is None else -math.expm1(-passed / REMEMBERED_SECONDS)
        before = self.per_second or 0.0
        self.per_second = (before + weight * (rate - before)) if rate or before else None
        self._done, self._at = done, now

    def seconds_left(self, left: float) -> float | None:
        """None as long as nothing moved, or hardly anything does."""
        return left / self.per_second if self.per_second and self.per_second >= 1 else None
