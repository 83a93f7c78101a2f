"""How soon a changed limit and a pause hold, by the clock of the database."""

from __future__ import annotations

import time
from datetime import datetime

from benchmarks.bench.figures import Result
from benchmarks.fair.service import SLOTS, Run, Service, database_now
from jobs.models import QueueLimit
from tests.live import until

LOWERED = "from a lowered limit to the last start above it"
RAISED = "from a raised limit to its use"
PAUSED, RESUMED = "from a pause to the last start", "from its end to the first start"
LOW = 1


def limits(service: Service, jobs: int, seconds: float) -> Result:
    """How soon does a changed limit hold, and the pause of a kind?"""
    result, phase_seconds = Result(), max(4 * seconds, 3)
    with service.emptied():
        with service.paused():
            service.ask(service.owner(), jobs=jobs, seconds=seconds, kind="pausable")
        until(lambda: len(service.runs()) > SLOTS, 60, service.live.logs)
        limit = QueueLimit.objects.create(scope="kind", name="pausable", max_running=LOW)
        lowered = database_now()
        time.sleep(phase_seconds)
        limit.max_running = SLOTS
        raised = _saved(limit)
        time.sleep(phase_seconds)
        limit.is_paused = True
        paused = _saved(limit)
        time.sleep(phase_seconds)
        limit.is_paused = False
        resumed = _saved(limit)
        time.sleep(phase_seconds)
        runs = service.runs()
    result.notes.append(f"0 s: nothing started any more. Jobs of {seconds:g} s, {SLOTS} slots.")
    too_many = [at for at, running in _starts(runs) if lowered < at < raised and running > LOW]
    result.add(LOWERED, "s", _after(lowered, max(too_many, default=lowered)))
    full = [at for at, running in _starts(runs) if at > raised and running > LOW]
    result.add(RAISED, "s", _after(raised, min(full)))
    stray = [run.started_at for run in runs if paused < run.started_at < resumed]
    result.add(PAUSED, "s", _after(paused, max(stray, default=paused)))
    result.add(
        RESUMED, "s", _after(resumed, min(r.started_at for r in runs if r.started_at > resumed))
    )
    return result


def _saved(limit: QueueLimit) -> datetime:
    limit.save()
    return database_now()


def _after(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()


def _starts(runs: list[Run]) -> list[tuple[datetime, int]]:
    """Return when each attempt started, and how many were running then, with itself."""
    return [
        (run.started_at, sum(_was_running(other, run.started_at) for other in runs)) for run in runs
    ]


def _was_running(run: Run, at: datetime) -> bool:
    return run.started_at <= at and (run.finished_at is None or run.finished_at > at)
