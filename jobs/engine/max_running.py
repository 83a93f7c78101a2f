"""How many jobs of a kind run at once, in all workers: `Kind.max_running`.

A claim that would exceed it is rolled back, so its job stays queued. The end of an attempt sends
doorbells for as many jobs as have room; the dispatcher sends those that were lost.
"""

from __future__ import annotations

from contextlib import nullcontext

from django.db import connection, transaction

from jobs.engine.doorbell import ring_doorbell_soon
from jobs.errors import StaleJob
from jobs.kinds.registry import KINDS, kind_doorbell
from jobs.models import DownloadJob
from jobs.states import Status


def claim_job(job: DownloadJob, *, task_id: str, worker: str) -> None:
    """Claim the job. Raises StaleJob, also if enough jobs of its kind are running."""
    # The job's kind is known only once its row is read, which is the claim itself.
    is_limited = any(kind.max_running for kind in KINDS.values())
    with transaction.atomic() if is_limited else nullcontext():
        job.claim(task_id=task_id, worker=worker)
        limit = KINDS[job.kind].max_running if job.kind in KINDS else None
        if limit is None:
            return
        _lock_kind(job.kind)  # until the commit: the next claim counts this job
        if _running(job.kind) > limit:
            raise StaleJob(f"As many jobs of the kind {job.kind} run as may: {limit}.")


def ring_next_jobs(kind_name: str) -> None:
    """Send doorbells for the queued jobs of the kind that have room now."""
    if kind_name in KINDS and (room := _room(kind_name)):
        due = DownloadJob.objects.due().filter(kind=kind_name)
        for job in due.order_by("-priority", "available_at")[:room]:
            ring_doorbell_soon(kind_doorbell(job))


def full_kinds() -> set[str]:
    """Return the kinds of which no further job may start now."""
    return {name for name in KINDS if _room(name) == 0}


def _room(kind_name: str) -> int | None:
    """Return how many more jobs of the kind may start; None if there is no limit."""
    limit = KINDS[kind_name].max_running
    return None if limit is None else max(limit - _running(kind_name), 0)


def _running(kind_name: str) -> int:
    return DownloadJob.objects.filter(status=Status.PROCESSING, kind=kind_name).count()


def _lock_kind(kind_name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"max_running {kind_name}"]
        )
