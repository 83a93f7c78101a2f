"""Compares contenders under wrk's load, in alternating rounds and without background work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.bench.figures import Result, Round, compare
from benchmarks.bench.load import Request, measure_round
from benchmarks.bench.processor_time import Roots
from benchmarks.bench.rig import Rig


def nothing() -> None:
    """Clean up nothing."""


@dataclass(frozen=True)
class LoadTarget:
    """A contender under load. `request` is called before each round, `clean` after it."""

    request: Callable[[], Request]
    roots: Roots
    clean: Callable[[], None] = nothing


def compare_under_load(rig: Rig, targets: Mapping[str, LoadTarget], connections: int) -> Result:
    """Measure the targets in alternating rounds, after a warm-up of each."""
    if warm_up := rig.sizes.warm_up_seconds:
        for target in targets.values():
            _round(rig, target, connections, warm_up)
    seconds = rig.sizes.seconds
    measures = {
        name: partial(_round, rig, target, connections, seconds) for name, target in targets.items()
    }
    return compare(measures, rig.sizes.rounds)


def _round(rig: Rig, target: LoadTarget, connections: int, seconds: float) -> Round:
    with rig.quiet():
        found = measure_round(
            target.request(), target.roots, connections=connections, seconds=seconds
        )
        target.clean()
    return found
