"""Estimate when a job will be ready, and say what a queued one waits for.

Both come from what this process has measured last. Who may run queries calls `refresh_estimates`
before, if it has to.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

from django.db import DatabaseError

from jobs.engine import simulated_delay
from jobs.engine.kind_speeds import FIRST_GUESS, cached_speed, kind_speed
from jobs.engine.queue_order import Place
from jobs.engine.queue_snapshot import CACHE, NOTHING_KNOWN
from jobs.engine.running_limits import StartBlock
from jobs.models import DownloadJob, JobRow
from jobs.states import Status

MIN_AGE_SECONDS = 1.0  # before that, an attempt's own speed means nothing
STILL_SECONDS = 10.0  # after that, there is no estimate for an attempt without progress


class WaitingFor(StrEnum):
    """What a queued job waits for. The values are public."""

    WORKER = "worker"
    LIMIT = "limit"
    PAUSED = "paused"
    SCHEDULE = "schedule"
    DEPENDENCIES = "dependencies"
    RETRY = "retry"


class Waiting(NamedTuple):
    """What a queued job waits for; and its place, if it only waits for other jobs."""

    reason: WaitingFor
    place: Place | None = None
    block: StartBlock | None = None


def estimated_seconds_left(job: DownloadJob, now: float) -> int | None:
    """Return whole seconds until `job` is ready; None if it is finished, blocked, paused, at a
    limit or stalled, or if its size is unknown.

    `now` is Unix time. Measures first if that was long ago.
    """
    _refresh_if_stale(job)
    return cached_estimate(job, now)


def current_waiting(job: DownloadJob, now: float) -> Waiting | None:
    """Return what the job waits for; None unless it is queued. Measures as the estimate does."""
    _refresh_if_stale(job)
    return cached_waiting(job, now)


def _refresh_if_stale(job: DownloadJob) -> None:
    if has_to_refresh(job):
        refresh_estimates(job.kind)


def has_to_refresh(job: DownloadJob | JobRow) -> bool:
    """Return whether to measure again for this job. Others use the last measurement meanwhile."""
    return not job.is_finished and CACHE.take_refresh()


def refresh_estimates(kind: str) -> None:
    """Read the queues, and measure the speed of the kind."""
    CACHE.refresh()
    with suppress(DatabaseError):  # the last speed is used
        kind_speed(kind)


def cached_waiting(job: DownloadJob | JobRow, now: float) -> Waiting | None:
    """Return what the job waits for, from the last measurement. Runs no query."""
    if job.status != Status.QUEUED:
        return None
    if job.held:
        return Waiting(WaitingFor.DEPENDENCIES)
    available_at = job.available_at.timestamp()
    if available_at > now and (job.error_code or job.run_at):
        return Waiting(WaitingFor.RETRY if job.error_code else WaitingFor.SCHEDULE)
    if CACHE.snapshot is None:
        return Waiting(WaitingFor.WORKER)
    block = CACHE.snapshot.block(job)
    if block and block.is_paused:
        return Waiting(WaitingFor.PAUSED, block=block)
    place = CACHE.snapshot.state(job.kind).order.place(
        job.lane_id, available_at, owner_id=job.owner_id, priority=job.priority
    )
    return Waiting(WaitingFor.LIMIT if block else WaitingFor.WORKER, place, block)


def cached_estimate(
    job: DownloadJob | JobRow, now: float, waiting: Waiting | None = None
) -> int | None:
    """Return what `estimated_seconds_left` does, from the last measurement. Runs no query.

    `waiting` is what `cached_waiting` returned, if that is known.
    """
    if job.is_finished or job.held or job.total is None:
        return None
    if job.status == Status.PROCESSING and job.started_at:
        return _seconds_of_running(job, now - job.started_at.timestamp(), job.total)
    waiting = waiting or cached_waiting(job, now)
    if waiting is None or waiting.reason in (WaitingFor.PAUSED, WaitingFor.LIMIT):
        return None
    wait = max(job.available_at.timestamp() - now, 0.0)
    if waiting.place:
        queue = CACHE.snapshot.state(job.kind) if CACHE.snapshot else NOTHING_KNOWN
        wait += queue.seconds_until_start(waiting.place)
    return _ceil(wait + cached_speed(job.kind).seconds(job.total))


def _seconds_of_running(job: DownloadJob | JobRow, age: float, total: int) -> int | None:
    left = max(total - job.done, 0)
    delay = simulated_delay.simulated_delay_seconds(job.message) - age
    if delay > 0:  # the speed of finished jobs includes their delays
        return _ceil(delay + left / FIRST_GUESS)
    if job.speed and age >= MIN_AGE_SECONDS:
        return _ceil(left / job.speed)
    return None if age >= STILL_SECONDS else _ceil(cached_speed(job.kind).seconds(left))


def _ceil(seconds: float) -> int:
    return max(1, round(seconds + 0.5))
