"""Estimate when a job will be ready, from its own speed or that of recent jobs of its kind."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.contrib.postgres.aggregates import RegrIntercept, RegrSlope
from django.db import DatabaseError
from django.db.models import Avg, Count, F, FloatField, Q, Sum
from django.db.models.functions import Cast, Extract, Greatest, Now

from jobs.engine import simulated_delay
from jobs.models import DownloadJob, JobRow
from jobs.states import ACTIVE, Status

log = structlog.get_logger(__name__)

KEPT_SECONDS = 5  # a poll must stay one query for one row
LATELY = timedelta(hours=6)
FIRST_GUESS = 20e6  # bytes a second, until a job of the kind has finished
MIN_AGE_SECONDS = 1.0  # before that, an attempt's own speed means nothing
STILL_SECONDS = 10.0  # after that, there is no estimate for an attempt without progress
MEASURED = 200  # the last jobs to finish; more would hardly change the average


@dataclass(frozen=True)
class KindSpeed:
    """How long recent jobs of a kind ran: a fixed time, and more for each unit of their total."""

    fixed_seconds: float
    unit_seconds: float

    def seconds(self, total: int | None) -> float:
        return self.fixed_seconds + (total or 0) * self.unit_seconds


GUESSED_SPEED = KindSpeed(1.0, 1 / FIRST_GUESS)


@dataclass(frozen=True)
class Throughput:
    """What one kind does at the moment. `backlog` is the queued and due work, in units."""

    units_per_second: float
    backlog: int
    running: int


UNKNOWN = Throughput(FIRST_GUESS, 0, 0)


def estimated_seconds_left(job: DownloadJob, now: float) -> int | None:
    """Return whole seconds until `job` is ready; None if it is finished, blocked or stalled, or if
    its size is unknown.

    `now` is Unix time. For a running job its own speed counts, for a queued one that of its kind,
    which is measured here if the last measurement is older than KEPT_SECONDS.
    """
    if can_be_estimated(job) and is_estimate_stale(job.kind):
        measure_estimates(job.kind)
    return cached_estimate(job, now)


def can_be_estimated(job: DownloadJob | JobRow) -> bool:
    """Return whether the job can have an estimate: not if finished, blocked or of unknown size."""
    return not (job.is_finished or job.held or job.total is None)


def cached_estimate(job: DownloadJob | JobRow, now: float) -> int | None:
    """Return what `estimated_seconds_left` does, from the last measurement. Runs no query."""
    if not can_be_estimated(job) or job.total is None:
        return None
    _, kind = _known.get(job.kind, NOTHING_KNOWN)
    left = max(job.total - job.done, 0)
    if job.status == Status.PROCESSING and job.started_at:
        age = now - job.started_at.timestamp()
        delay = simulated_delay.simulated_delay_seconds(job.message) - age
        if delay > 0:  # the speed of finished jobs includes their delays
            return _ceil(delay + left / max(kind.units_per_second, FIRST_GUESS))
        own = job.speed if age >= MIN_AGE_SECONDS else 0
        if not own and age >= STILL_SECONDS:
            return None
        return _ceil(left / (own or kind.units_per_second))
    wait = max(job.available_at.timestamp() - now, 0.0)
    slots = max(kind.running, 1)
    return _ceil(wait + max(kind.backlog, left) / (kind.units_per_second * slots))


def _ceil(seconds: float) -> int:
    return max(1, round(seconds + 0.5))


NOTHING_KNOWN = (-float(KEPT_SECONDS), UNKNOWN)
_known: dict[str, tuple[float, Throughput]] = {}


def is_estimate_stale(kind: str) -> bool:
    """Return whether the kind is to be measured again."""
    measured_at, _ = _known.get(kind, NOTHING_KNOWN)
    return time.monotonic() - measured_at > KEPT_SECONDS


def measure_estimates(kind: str) -> None:
    """Measure the kind's throughput and backlog, and cache them."""
    _, throughput = _known.get(kind, NOTHING_KNOWN)
    now = time.monotonic()
    _known[kind] = now, throughput  # other threads use the old one meanwhile
    try:
        throughput = _measure(kind)
    except DatabaseError as error:
        log.warning("no estimate", error=repr(error))  # no reason for a poll to fail
    _known[kind] = now, throughput


def measured_speed(kind: str) -> KindSpeed:
    """Return the speed of the last jobs of the kind, fitted to their totals."""
    taken = Extract(F("finished_at") - F("started_at"), "epoch", output_field=FloatField())
    done = Cast("done", FloatField())
    lately = DownloadJob.objects.filter(
        kind=kind, status=Status.COMPLETED, finished_at__gt=Now() - LATELY
    )
    last = lately.order_by("-finished_at").annotate(taken=taken, work=done)[:MEASURED]
    fit = last.aggregate(
        seconds=Avg("taken"), units=Avg("work"),
        slope=RegrSlope("taken", "work"), rest=RegrIntercept("taken", "work"),
    )  # fmt: skip
    seconds, units, slope, rest = fit["seconds"], fit["units"], fit["slope"], fit["rest"]
    if seconds is None:
        return GUESSED_SPEED
    if slope is None or slope <= 0:  # larger ones did not take longer
        return KindSpeed(seconds, 0)
    return KindSpeed(rest, slope) if rest >= 0 else KindSpeed(0, seconds / units)


def _measure(kind: str) -> Throughput:
    taken = Extract(F("finished_at") - F("started_at"), "epoch", output_field=FloatField())
    rate = F("done") / Greatest(taken, 0.001)
    of_kind = DownloadJob.objects.filter(kind=kind).order_by()
    lately = of_kind.filter(status=Status.COMPLETED, finished_at__gt=Now() - LATELY)
    last = lately.order_by("-finished_at").annotate(rate=rate)[:MEASURED]
    measured = last.aggregate(found=Avg("rate", filter=Q(done__gt=0)))["found"]
    # At most MAX_QUEUED_JOBS are queued: adding up 10,000 takes 10 ms.
    due = Q(status=Status.QUEUED, held=False, available_at__lte=Now())
    now = of_kind.filter(status__in=ACTIVE).aggregate(
        backlog=Sum("total", filter=due, default=0),
        running=Count("id", filter=Q(status=Status.PROCESSING)),
    )
    return Throughput(float(measured or FIRST_GUESS), now["backlog"], now["running"])
