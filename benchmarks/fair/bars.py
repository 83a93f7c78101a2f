"""The targets of `make bench-fair`."""

from __future__ import annotations

from benchmarks.bench.bars import Bar
from benchmarks.fair import claims, limits, order

BARS = [
    Bar("claims", f"{claims.DATABASE}, {claims.AT_ONCE}, p95", 5),
    Bar("claims", claims.EMPTY, 0),
    Bar("quiet-owners", order.EXCESS, 0),
    Bar("shares", order.OFF, 10),
    Bar("limits", limits.LOWERED, 1),
    Bar("limits", limits.RAISED, 1),
    Bar("limits", limits.PAUSED, 1),
    Bar("limits", limits.RESUMED, 1),
]
