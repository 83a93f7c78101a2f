"""What the dispatcher does for jobs: ring again, requeue lost ones, release blocked ones."""

from __future__ import annotations

from collections import defaultdict

from django.conf import settings
from django.db import transaction

from jobs.engine import broker, claims, doorbell, quota
from jobs.engine.doorbell_message import Doorbell
from jobs.kinds.registry import KINDS, kind_doorbell
from jobs.models import DownloadJob, Lane, QueueShare
from jobs.models.lane import make_ready
from jobs.states import LOST, Actor

BATCH = 100  # rows that a sweep handles at once
READY_BATCH = 1_000  # jobs that become ready at once, such as after a bulk action


def sweep_due_jobs() -> int:
    """Make due jobs ready and send their doorbells. Return how many."""
    with transaction.atomic():
        due = DownloadJob.objects.to_make_ready().locked().defer("params", "metadata")
        jobs = {job.pk: job for job in due[:READY_BATCH]}
        ready = [jobs[job_id] for job_id in make_ready(jobs)]
    bells: dict[str, list[Doorbell]] = defaultdict(list)
    for job in ready:
        if job.kind in KINDS:
            bells[KINDS[job.kind].queue].append(kind_doorbell(job))
    for queue, of_queue in bells.items():
        room = max(settings.QUEUE_SHORT - broker.broker_messages(queue), 0)
        doorbell.send_doorbells(of_queue[:room])  # for the others: sweep_lost_doorbells, later
    return len(ready)


def sweep_lost_doorbells() -> int:
    """Send doorbells if the broker has fewer than there are ready jobs. Return how many.

    Only while the queue in the broker is short: those that are there are enough for a while.
    """
    rung = 0
    for queue in {kind.queue for kind in KINDS.values()}:
        ready = claims.ready_jobs(
            queue, settings.QUEUE_SHORT, for_seconds=settings.RING_AGAIN_SECONDS
        )
        missing = len(ready) - broker.broker_messages(queue) if ready else 0
        if missing > 0:
            jobs = DownloadJob.objects.filter(pk__in=ready[-missing:]).defer("params", "metadata")
            doorbell.send_doorbells([kind_doorbell(job) for job in jobs])
            rung += missing
    return rung


def sweep_lanes() -> int:
    """Delete lanes that no job waits in. Return how many."""
    with transaction.atomic():
        return Lane.objects.delete_empty(BATCH)


def sweep_shares() -> int:
    """Delete the shares of idle owners. Return how many."""
    return QueueShare.objects.delete_of_idle(BATCH)


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
