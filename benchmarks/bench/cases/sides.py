"""Sides of a comparison under wrk's load, by turns. No worker runs meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.bench.figures import Result, Round, compare
from benchmarks.bench.load import Request, round_of
from benchmarks.bench.processor_time import Roots
from benchmarks.bench.rig import Rig


def nothing() -> None:
    """Nothing has to be cleaned up after a round."""


@dataclass(frozen=True)
class Side:
    """`request` is made anew for each round, and `clean` comes after it."""

    request: Callable[[], Request]
    roots: Roots
    clean: Callable[[], None] = nothing


def contest(rig: Rig, sides: Mapping[str, Side], connections: int) -> Result:
    """Rounds by turns, after one of each that is not counted."""
    if warm_up := rig.sizes.warm_up_seconds:
        for side in sides.values():
            _round(rig, side, connections, warm_up)
    seconds = rig.sizes.seconds
    measures = {
        name: partial(_round, rig, side, connections, seconds) for name, side in sides.items()
    }
    return compare(measures, rig.sizes.rounds)


def _round(rig: Rig, side: Side, connections: int, seconds: float) -> Round:
    with rig.quiet():
        found = round_of(side.request(), side.roots, connections=connections, seconds=seconds)
        side.clean()
    return found
