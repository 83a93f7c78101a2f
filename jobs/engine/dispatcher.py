"""The periodic work: ring for due jobs, requeue lost ones, delete what has expired.

It also sends mails and webhooks: see notifications/.

It is a process of its own, `manage.py dispatcher`, and not a Celery task, because it must go on
when the queue stalls. Any number may run: each skips the rows that another has locked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models.functions import Now

from jobs import notifications
from jobs.engine import queue, quota
from jobs.engine.expiry import (
    expire_artifacts,
    expire_uploads,
    forget_keys,
    forget_notifications,
    forget_results,
    forget_tokens,
    give_up_uploads,
)
from jobs.engine.garbage import collect_garbage
from jobs.kinds.registry import KINDS, doorbell
from jobs.models import (
    DownloadJob,
)
from jobs.models.compiled import AnyRows
from jobs.notifications import notify_operators
from jobs.states import LOST, Actor

log = structlog.get_logger(__name__)

BATCH = 100  # rows that a sweep handles at once
STOP_SECONDS = 1  # for threads to end; those that take longer can be cut off safely


def run(stop: threading.Event) -> None:
    """Run the sweeps until `stop` is set. A sweep that fails is logged and tried again next time.

    Slow work has its own threads: a file store, mail server or webhook that hangs must not delay
    the others.
    """
    senders = notifications.senders()
    loops = [_sweep_slowly, *(sender.run for sender in senders)]
    threads = [threading.Thread(target=loop, args=[stop], daemon=True) for loop in loops]
    for thread in threads:
        thread.start()
    fast = FastSweeps()
    while not stop.is_set():
        for sweep in (fast, notify_operators):
            _try(sweep)
        stop.wait(settings.DISPATCH_EVERY_SECONDS)
    for sender in senders:
        sender.wake()
    ends = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(ends - time.monotonic(), 0))


class FastSweeps:
    """The frequent sweeps. One query finds out which of them have anything to do."""

    __name__ = "fast_sweeps"  # as functions have one

    def __init__(self) -> None:
        jobs, unheard = DownloadJob.objects, timedelta(seconds=settings.RING_AGAIN_SECONDS)
        self._rows = AnyRows(jobs.lease_expired(), jobs.to_release_or_fail(), jobs.to_ring(unheard))

    def __call__(self) -> int:
        sweeps = (rescue_expired_leases, release_blocked, ring_due)
        for is_needed, sweep in zip(self._rows.exist(), sweeps, strict=True):
            if is_needed:
                _try(sweep)
        return 0  # each has logged its own count


def _sweep_slowly(stop: threading.Event) -> None:
    while not stop.is_set():
        for sweep in (
            expire_artifacts,
            expire_uploads,
            give_up_uploads,
            collect_garbage,
            forget_results,
            forget_keys,
            forget_tokens,
            forget_notifications,
            audit_usage,
        ):
            _try(sweep)
        connection.close()  # not needed for minutes
        stop.wait(settings.COLLECT_EVERY_SECONDS)


def ring_due() -> int:
    """Send doorbells again for due jobs that no worker has claimed. Return how many.

    Only while the queue is short: otherwise repeated doorbells would delay new ones.
    """
    rung = 0
    for name in {kind.queue for kind in KINDS.values()}:
        room = settings.QUEUE_SHORT - queue.waiting(name)
        for job in _take_unclaimed(name, room) if room > 0 else []:
            queue.ring(doorbell(job))
            rung += 1
    return rung


def _take_unclaimed(queue_name: str, most: int) -> list[DownloadJob]:
    kinds = [name for name, kind in KINDS.items() if kind.queue == queue_name]
    unheard = timedelta(seconds=settings.RING_AGAIN_SECONDS)
    with transaction.atomic():
        jobs = list(DownloadJob.objects.to_ring(unheard).filter(kind__in=kinds).locked()[:most])
        # Marked before they are sent: if Redis is unavailable, they are due again soon.
        ids = [job.pk for job in jobs]
        DownloadJob.objects.filter(pk__in=ids).update(published_at=Now())
    return jobs


def rescue_expired_leases() -> int:
    """Requeue jobs whose worker stopped renewing the lease. Return how many."""
    with transaction.atomic():
        jobs = list(DownloadJob.objects.lease_expired().locked()[:BATCH])
        for job in jobs:
            job.rescue(Actor.DISPATCHER)
            log.warning("rescued", job_id=str(job.pk), attempt=job.attempt, worker=job.worker)
    return len(jobs)


def release_blocked() -> int:
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


def audit_usage() -> int:
    """Correct wrong sums of stored bytes for a batch of owners. Return how many were wrong."""
    return quota.audit(BATCH)


def _try(sweep: Callable[[], int]) -> None:
    try:
        if count := sweep():
            log.info(sweep.__name__, count=count)
    except Exception:
        log.exception("sweep failed", sweep=sweep.__name__)
        close_old_connections()
