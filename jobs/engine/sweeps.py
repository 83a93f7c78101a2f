"""What the dispatcher does for jobs: ring again, requeue lost ones, release blocked ones."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from jobs.engine import broker, doorbell, quota
from jobs.engine.max_running import full_kinds
from jobs.kinds.registry import KINDS, kind_doorbell
from jobs.models import DownloadJob
from jobs.states import LOST, Actor

BATCH = 100  # rows that a sweep handles at once


def sweep_due_jobs() -> int:
    """Send doorbells again for due jobs that no worker has claimed. Return how many.

    Only while the queue is short: otherwise repeated doorbells would delay new ones.
    """
    rung = 0
    for name in {kind.queue for kind in KINDS.values()}:
        room = settings.QUEUE_SHORT - broker.broker_messages(name)
        for job in _take_unclaimed(name, room) if room > 0 else []:
            doorbell.ring_doorbell(kind_doorbell(job))
            rung += 1
    return rung


def _take_unclaimed(queue_name: str, most: int) -> list[DownloadJob]:
    kinds = {name for name, kind in KINDS.items() if kind.queue == queue_name} - full_kinds()
    unheard = timedelta(seconds=settings.RING_AGAIN_SECONDS)
    with transaction.atomic():
        jobs = list(DownloadJob.objects.to_ring(unheard).filter(kind__in=kinds).locked()[:most])
        # Marked before they are sent: if Redis is unavailable, they are due again soon.
        ids = [job.pk for job in jobs]
        DownloadJob.objects.filter(pk__in=ids).update(published_at=Now())
    return jobs


def sweep_expired_leases() -> int:
    """Requeue jobs whose worker stopped renewing the lease. Return how many."""
    with transaction.atomic():
        jobs = list(DownloadJob.objects.lease_expired().locked()[:BATCH])
        for job in jobs:
            job.rescue(Actor.DISPATCHER)
    return len(jobs)


def sweep_blocked_jobs() -> int:
    """Unblock jobs whose dependencies are done; fail those with a failed one. Return how many."""
    with transaction.atomic():
        jobs = list(DownloadJob.objects.to_release_or_fail().locked()[:BATCH])
        for job in jobs:
            dependencies = job.after.all()
            if lost := dependencies.filter(status__in=LOST).first():
                job.fail_with_dependency(lost)
            elif not dependencies.not_completed().exists():
                job.release()
    return len(jobs)


def sweep_usage() -> int:
    """Correct wrong sums of stored bytes for a batch of owners. Return how many were wrong."""
    return quota.audit_quotas(BATCH)
