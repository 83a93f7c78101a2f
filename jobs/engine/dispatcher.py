"""The periodic work: ring for due jobs, requeue lost ones, delete what has expired.

It also sends mails and webhooks: see notifications/.

It is a process of its own, `manage.py dispatcher`, and not a Celery task, because it must go on
when the queue stalls. Any number may run: each skips the rows that another has locked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import structlog
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django_celery_results.models import TaskResult
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from jobs import notifications, storage
from jobs.engine import queue, quota
from jobs.errors import BuildError, StaleJob
from jobs.kinds.registry import KINDS, doorbell, folder_of, folders
from jobs.models import (
    DownloadJob,
    EndedTokenFamily,
    IncomingUpload,
    Notification,
    StoredFile,
)
from jobs.models.compiled import AnyRows
from jobs.notifications import notify_operators
from jobs.states import FINAL, LOST, Actor

log = structlog.get_logger(__name__)

BATCH = 100  # rows that a sweep handles at once
KEY_KEPT = timedelta(hours=24)
NOTIFICATION_KEPT = timedelta(days=30)
STOP_SECONDS = 1  # for threads to end; those that take longer can be cut off safely
MAX_FAILED = 3  # then a sweep stops: the store is probably unavailable


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


def expire_artifacts() -> int:
    """Expire artifacts. Their objects are deleted by `collect_garbage`. Return how many."""
    expired = 0
    while jobs := list(DownloadJob.objects.due_to_expire()[:BATCH]):
        for job in jobs:
            with suppress(StaleJob):  # another dispatcher expired it
                job.expire()
                expired += 1
    return expired


def expire_uploads() -> int:
    """Delete the rows of expired uploads that were never processed. Return how many."""
    with transaction.atomic():
        expired = StoredFile.objects.not_kept().filter(made_by__status__in=FINAL)
        files = list(expired.select_for_update(skip_locked=True, of=("self",))[: BATCH * 10])
        for owner_id in sorted({file.owner_id or 0 for file in files}):
            # In the order of owners, because this locks the sum of each (models/usage.py).
            of_owner = [file.pk for file in files if file.owner_id == owner_id]
            StoredFile.objects.filter(pk__in=of_owner).delete()
        jobs = DownloadJob.objects.filter(pk__in=[file.made_by_id for file in files])
        jobs.filter(status__in=FINAL).update(collect_at=Now())
    return len(files)


def give_up_uploads() -> int:
    """Delete abandoned uploads and their objects. Return how many."""
    deleted = failed = 0
    for upload in IncomingUpload.objects.given_up()[:BATCH]:
        try:
            storage.delete(upload.key)
        except BuildError as error:
            log.warning("not given up", upload_id=str(upload.pk), error=repr(error))
            IncomingUpload.objects.filter(pk=upload.pk).give_up()  # to the end of the list
            failed += 1
            if failed == MAX_FAILED:
                break
        else:
            upload.delete()
            deleted += 1
    return deleted


def collect_garbage() -> int:
    """Delete objects of finished jobs that have no row. Return how many objects."""
    deleted = failed = 0
    while failed < MAX_FAILED and (jobs := list(DownloadJob.objects.to_collect()[:BATCH])):
        for job in jobs:
            try:
                deleted += _collect(job)
            except BuildError as error:
                failed += 1
                log.warning("not collected", job_id=str(job.pk), error=repr(error))
                # Later, so that one that always fails does not block the others.
                later = Now() + timedelta(seconds=settings.COLLECT_EVERY_SECONDS)
                DownloadJob.objects.filter(pk=job.pk).to_collect().update(collect_at=later)
    return deleted


def _collect(job: DownloadJob) -> int:
    kept = set(job.files.values_list("key", flat=True))
    deleted = 0
    # Only the folders of attempts up to the one read with the final status: if the job is run
    # again meanwhile, its new attempt has a higher number.
    for attempt in range(1, job.attempt + 1):
        deleted += storage.delete_all_but(kept, prefix=f"{folder_of(job)}{attempt}/")
    if KINDS[job.kind].is_stored and not job.files.received().exists():
        deleted += storage.delete_all_but(kept, prefix=f"{IncomingUpload.FOLDER}/{job.pk}/")
    # The worker of a large job may go on longer after losing it: its time limit is later.
    late = KINDS[job.kind].time_limit.extra_seconds(max(job.done, job.total or 0))
    again = F("finished_at") + timedelta(seconds=settings.COLLECT_AGAIN_SECONDS + late)
    row = DownloadJob.objects.filter(pk=job.pk, attempt=job.attempt, status__in=FINAL)
    if not row.filter(collect_at__lt=again).update(collect_at=again):
        row.update(collect_at=None)  # this was the second time
    return deleted


def strays(before: datetime) -> Iterator[str]:
    """Yield keys in the bucket, last written `before`, that belong to no row and no active job.

    It lists the whole bucket, so it is for an operator, not for the dispatcher.
    """
    for folder in folders():
        keys = storage.stored_before(f"{folder}/", before)
        while batch := set(islice(keys, BATCH * 10)):
            yield from _unknown(batch)


def _unknown(keys: set[str]) -> list[str]:
    # Active jobs before files: a job that succeeds in between is found by one of the queries.
    ids = {key: key.split("/")[1] for key in keys}
    job_ids = list(filter(_is_id, ids.values()))
    coming = IncomingUpload.objects.filter(pk__in=job_ids).values_list("pk", flat=True)
    active = DownloadJob.objects.unfinished().filter(pk__in=job_ids).values_list("pk", flat=True)
    spared = {str(each) for each in [*coming, *active]}
    known = set(StoredFile.objects.filter(key__in=keys).values_list("key", flat=True))
    return sorted(key for key in keys - known if ids[key] not in spared)


def _is_id(text: str) -> bool:
    with suppress(ValueError):
        return str(UUID(text)) == text
    return False


def forget_results() -> int:
    """Delete a batch of old task results. Return how many."""
    old = TaskResult.objects.filter(date_done__lt=Now() - settings.CELERY_RESULT_EXPIRES)
    count, _ = TaskResult.objects.filter(pk__in=old.values("pk")[: BATCH * 10]).delete()
    return count


def forget_keys() -> int:
    """Remove the idempotency keys of a batch of old jobs. Return how many."""
    old = DownloadJob.objects.with_old_key(KEY_KEPT).values("pk")[: BATCH * 10]
    return DownloadJob.objects.filter(pk__in=old).update(idempotency_key="", request_hash="")


def forget_tokens() -> int:
    """Delete a batch of expired refresh tokens. Return how many."""
    EndedTokenFamily.objects.filter(expires_at__lt=Now()).delete()
    expired = OutstandingToken.objects.filter(expires_at__lt=Now()).order_by("expires_at")
    batch = list(expired.values_list("pk", flat=True)[: BATCH * 10])
    OutstandingToken.objects.filter(pk__in=batch).delete()  # and their blacklist entries
    return len(batch)


def forget_notifications() -> int:
    """Delete a batch of old notifications. Return how many."""
    old = Notification.objects.settled().filter(created_at__lt=Now() - NOTIFICATION_KEPT)
    batch = old.order_by("created_at").values("pk")[: BATCH * 10]
    count, _ = Notification.objects.filter(pk__in=batch).delete()
    return count


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
