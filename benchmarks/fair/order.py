"""Whose turn it is: the wait of those who ask for one job, and shares of the workers' time."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.bench.figures import Result, percentile
from benchmarks.fair.service import SLOTS, Service, database_now
from tests.live import until

WITH, WITHOUT = "beside 1,000 jobs of another", "alone"
WAIT, EXCESS = "wait of the quiet owners, p99", "wait over the allowed one"
OFF = "largest deviation from the weights"


def quiet_owners(service: Service, jobs: int, owners: int, seconds: float) -> Result:
    """How long do 20 owners of one job each wait beside somebody's 1,000 jobs of 1 s?"""
    alone = _waits(service, 0, owners, seconds)
    beside = _waits(service, jobs, owners, seconds)
    result = Result()
    for name, waits in ((WITHOUT, alone), (WITH, beside)):
        result.add(f"wait of the quiet owners, {name}, p50", "s", median(waits))
        result.add(f"{WAIT}, {name}", "s", percentile(waits, 0.99))
    # What runs already goes on: a slot may be free only after one more job.
    longest = percentile(alone, 0.99)
    allowed = max(1.2 * longest, longest + seconds)
    result.add(EXCESS, "s", max(percentile(beside, 0.99) - allowed, 0))
    result.notes.append(
        f"Allowed: 1.2 times the wait alone, or the wait alone and one job of {seconds:g} s,"
        f" whichever is more: {allowed:.2f} s. {SLOTS} slots."
    )
    return result


def _waits(service: Service, jobs: int, owners: int, seconds: float) -> list[float]:
    """Return how long each quiet owner waited, while another one has so many jobs."""
    with service.emptied():
        busy, quiet = service.owner(), [service.owner() for _ in range(owners)]
        with service.paused():
            service.ask(busy, jobs=jobs, seconds=seconds)
        if jobs:
            until(lambda: len(service.runs(busy)) > SLOTS, 60, service.live.logs)
        for owner in quiet:
            service.ask(owner, jobs=1, seconds=seconds)
        until(lambda: service.has_started(*quiet), 60 + jobs, service.live.logs)
        return [run.waited_seconds for run in service.runs(*quiet)]


def shares(service: Service, during_seconds: float, short_seconds: float) -> Result:
    """Do two owners share the workers' time, if the jobs of one take ten times as long?"""
    result, deviations = Result(), []
    for weight in (1, 2):
        used = _used(service, weight, during_seconds, short_seconds)
        share = used[1] / sum(used)
        expected = weight / (1 + weight)
        deviations.append(abs(share / expected - 1) * 100)
        deviations.append(abs((1 - share) / (1 - expected) - 1) * 100)
        for name, seconds in zip(("long", "short"), used, strict=True):
            label = f"weights 1:{weight}: worker time of the owner of {name} jobs"
            result.add(label, "s", seconds)
    result.add(OFF, "%", max(deviations))
    result.notes.append(
        f"Jobs of {10 * short_seconds:g} s and {short_seconds:g} s, {during_seconds:g} s each,"
        f" {SLOTS} slots. The second weight is of the owner of the short jobs."
    )
    return result


def _used(
    service: Service, weight: float, during_seconds: float, short_seconds: float
) -> list[float]:
    """Return the worker seconds of an owner with long jobs, and of one with short ones."""
    with service.emptied():
        owners = service.owner(), service.owner(weight)
        enough = int(during_seconds * SLOTS / short_seconds) + 20
        with service.paused():
            service.ask(owners[0], jobs=enough // 10 + SLOTS, seconds=10 * short_seconds)
            service.ask(owners[1], jobs=enough, seconds=short_seconds)
        until(lambda: len(service.runs()) >= SLOTS, 60, service.live.logs)
        begin = database_now()
        time.sleep(during_seconds)
        end = database_now()
        return [sum(run.seconds_within(begin, end) for run in service.runs(o)) for o in owners]
