"""What happens on a clock: ring what is due, rescue what is silent, expire and collect what is old.

It also sends mails and webhooks, which is described in notifications/.

A process of its own, `manage.py dispatcher`, and no Celery task: a sweeper that rides the queue it
repairs stalls with it. Any number may run; rows that one holds are skipped by the others.
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
from jobs.kinds.registry import KINDS, doorbell
from jobs.models import (
    UPLOAD,
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

BATCH = 100  # rows a sweep takes at once
KEY_KEPT = timedelta(hours=24)
NOTIFICATION_KEPT = timedelta(days=30)
STOP_SECONDS = 1  # for what is slow to end; what is cut off leaves nothing half done
MAX_FAILED = 3  # then the store is away, and the rest would wait for it in vain


def run(stop: threading.Event) -> None:
    """Sweep until told to stop. A sweep that fails is logged and tried again at its next tick.

    What is slow has threads of its own: a file store, mail server or webhook that hangs must not
    delay a rescue.
    """
    senders = notifications.senders()
    works = [_sweep_slowly, *(sender.run for sender in senders)]
    threads = [threading.Thread(target=work, args=[stop], daemon=True) for work in works]
    for thread in threads:
        thread.start()
    look = Look()
    while not stop.is_set():
        for each in (look, notify_operators):
            _try(each)
        stop.wait(settings.DISPATCH_EVERY_SECONDS)
    for sender in senders:
        sender.wake()
    ends = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(ends - time.monotonic(), 0))


class Look:
    """Whether there is anything to do, in one statement; then the sweeps that do it."""

    __name__ = "look"  # as a sweep has one

    def __init__(self) -> None:
        jobs, unheard = DownloadJob.objects, timedelta(seconds=settings.RING_AGAIN_SECONDS)
        self._rows = AnyRows(jobs.lease_expired(), jobs.to_release_or_fail(), jobs.to_ring(unheard))

    def __call__(self) -> int:
        sweeps = (rescue_expired_leases, release_blocked, ring_due)
        for is_needed, sweep in zip(self._rows.exist(), sweeps, strict=True):
            if is_needed:
                _try(sweep)
        return 0  # each has said how many


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
        connection.close()  # nobody needs it for minutes
        stop.wait(settings.COLLECT_EVERY_SECONDS)


def ring_due() -> int:
    """Ring for due jobs that no worker seems to have heard of; how many.

    Only while the broker's list is short: a fixed rule would flood it, and bury new doorbells.
    """
    rung = 0
    for name in {kind.queue for kind in KINDS.values()}:
        room = settings.QUEUE_SHORT - queue.waiting(name)
        for job in _take_unheard(name, room) if room > 0 else []:
            queue.ring(doorbell(job))
            rung += 1
    return rung


def _take_unheard(queue_name: str, most: int) -> list[DownloadJob]:
    kinds = [name for name, kind in KINDS.items() if kind.queue == queue_name]
    unheard = timedelta(seconds=settings.RING_AGAIN_SECONDS)
    with transaction.atomic():
        jobs = list(DownloadJob.objects.to_ring(unheard).filter(kind__in=kinds).locked()[:most])
        # Marked before they are rung: if Redis is away now, the mark is old again in a moment.
        ids = [job.pk for job in jobs]
        DownloadJob.objects.filter(pk__in=ids).update(published_at=Now())
    return jobs


def rescue_expired_leases() -> int:
    """Take jobs from workers whose lease is over; how many."""
    with transaction.atomic():
        jobs = list(DownloadJob.objects.lease_expired().locked()[:BATCH])
        for job in jobs:
            job.rescue(Actor.DISPATCHER)
            log.warning("rescued", job_id=str(job.pk), attempt=job.attempt, worker=job.worker)
    return len(jobs)


def release_blocked() -> int:
    """Let jobs start whose others are done, and fail those that wait in vain; how many."""
    with transaction.atomic():
        jobs = list(DownloadJob.objects.to_release_or_fail().locked()[:BATCH])
        for job in jobs:
            others = job.after.all()
            if lost := others.filter(status__in=LOST).first():
                job.fail_with_dependency(lost)
            elif not others.not_completed().exists():
                job.release()
    return len(jobs)


def expire_artifacts() -> int:
    """Let go of artifacts whose time is over; their objects go with the next collection."""
    expired = 0
    while jobs := list(DownloadJob.objects.due_to_expire()[:BATCH]):
        for job in jobs:
            with suppress(StaleJob):  # another dispatcher was here
                job.expire()
                expired += 1
    return expired


def expire_uploads() -> int:
    """Let go of what came for jobs that were not completed; it goes with the next collection."""
    with transaction.atomic():
        over = StoredFile.objects.not_kept().filter(made_by__status__in=FINAL)
        files = list(over.select_for_update(skip_locked=True, of=("self",))[: BATCH * 10])
        for owner_id in sorted({file.owner_id or 0 for file in files}):
            # One owner after another: their sums are locked until this ends (models/usage.py).
            of_owner = [file.pk for file in files if file.owner_id == owner_id]
            StoredFile.objects.filter(pk__in=of_owner).delete()
        jobs = DownloadJob.objects.filter(pk__in=[file.made_by_id for file in files])
        jobs.filter(status__in=FINAL).update(collect_at=Now())
    return len(files)


def give_up_uploads() -> int:
    """Delete what came of uploads that nobody goes on with; how many."""
    gone = failed = 0
    for upload in IncomingUpload.objects.given_up()[:BATCH]:
        try:
            storage.delete(upload.key)
        except BuildError as error:
            log.warning("not given up", upload_id=str(upload.pk), error=repr(error))
            IncomingUpload.objects.filter(pk=upload.pk).give_up()  # behind all the others
            failed += 1
            if failed == MAX_FAILED:
                break
        else:  # nobody goes on with it now: its time is over for everybody
            upload.delete()
            gone += 1
    return gone


def collect_garbage() -> int:
    """Delete what finished jobs left in the bucket and no row knows; how many objects."""
    gone = failed = 0
    while failed < MAX_FAILED and (jobs := list(DownloadJob.objects.to_collect()[:BATCH])):
        for job in jobs:
            try:
                gone += _collect(job)
            except BuildError as error:
                failed += 1
                log.warning("not collected", job_id=str(job.pk), error=repr(error))
                # Later, so that one that always fails does not stand before all the others.
                later = Now() + timedelta(seconds=settings.COLLECT_EVERY_SECONDS)
                DownloadJob.objects.filter(pk=job.pk).to_collect().update(collect_at=later)
    return gone


def _collect(job: DownloadJob) -> int:
    wanted = set(job.files.values_list("key", flat=True))
    gone = 0
    # Folder by folder up to the attempt read with the final status: should the job be run again
    # meanwhile, its new attempt has a higher number and is not touched.
    for attempt in range(1, job.attempt + 1):
        gone += storage.delete_all_but(wanted, prefix=f"{job.folder}{attempt}/")
    if job.kind == UPLOAD and not job.files.received().exists():
        gone += storage.delete_all_but(wanted, prefix=f"raw/{job.pk}/")
    # A worker that lost a large job may go on longer: its limit is later, too.
    late = KINDS[job.kind].time_limit.extra_seconds(max(job.done, job.total or 0))
    again = F("finished_at") + timedelta(seconds=settings.COLLECT_AGAIN_SECONDS + late)
    row = DownloadJob.objects.filter(pk=job.pk, attempt=job.attempt, status__in=FINAL)
    if not row.filter(collect_at__lt=again).update(collect_at=again):
        row.update(collect_at=None)  # this was the second look
    return gone


def strays(before: datetime) -> Iterator[str]:
    """Keys in the bucket, last written `before`, that no row knows and nobody may need.

    Lists all that jobs ever stored: for an operator, not for a clock.
    """
    for prefix in ("results/", "processed/", "raw/"):
        keys = storage.stored_since(prefix, before)
        while batch := set(islice(keys, BATCH * 10)):
            yield from _unknown(batch)


def _unknown(keys: set[str]) -> list[str]:
    # In this order: a job that succeeds meanwhile is found by one of the two.
    ids = {key: key.split("/")[1] for key in keys}
    asked = list(filter(_is_id, ids.values()))
    coming = IncomingUpload.objects.filter(pk__in=asked).values_list("pk", flat=True)
    active = DownloadJob.objects.unfinished().filter(pk__in=asked).values_list("pk", flat=True)
    spared = {str(each) for each in [*coming, *active]}
    known = set(StoredFile.objects.filter(key__in=keys).values_list("key", flat=True))
    return sorted(key for key in keys - known if ids[key] not in spared)


def _is_id(text: str) -> bool:
    with suppress(ValueError):
        return str(UUID(text)) == text
    return False


def forget_results() -> int:
    """Delete old task results, a batch at a time."""
    old = TaskResult.objects.filter(date_done__lt=Now() - settings.CELERY_RESULT_EXPIRES)
    count, _ = TaskResult.objects.filter(pk__in=old.values("pk")[: BATCH * 10]).delete()
    return count


def forget_keys() -> int:
    """Let idempotency keys of another day be used again, a batch at a time; how many."""
    old = DownloadJob.objects.with_old_key(KEY_KEPT).values("pk")[: BATCH * 10]
    return DownloadJob.objects.filter(pk__in=old).update(idempotency_key="", request_hash="")


def forget_tokens() -> int:
    """Delete refresh tokens whose time is over, a batch at a time; how many."""
    EndedTokenFamily.objects.filter(expires_at__lt=Now()).delete()
    over = OutstandingToken.objects.filter(expires_at__lt=Now()).order_by("expires_at")
    batch = list(over.values_list("pk", flat=True)[: BATCH * 10])
    OutstandingToken.objects.filter(pk__in=batch).delete()  # and what says that they were ended
    return len(batch)


def forget_notifications() -> int:
    """Delete what was told, or not, so long ago that nobody asks, a batch at a time; how many."""
    old = Notification.objects.settled().filter(created_at__lt=Now() - NOTIFICATION_KEPT)
    batch = old.order_by("created_at").values("pk")[: BATCH * 10]
    count, _ = Notification.objects.filter(pk__in=batch).delete()
    return count


def audit_usage() -> int:
    """Mend the sums of some owners' files that are not true, if any are; how many."""
    return quota.audit(BATCH)


def _try(sweep: Callable[[], int]) -> None:
    try:
        if count := sweep():
            log.info(sweep.__name__, count=count)
    except Exception:
        log.exception("sweep failed", sweep=sweep.__name__)
        close_old_connections()
