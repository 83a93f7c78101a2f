"""Delete what has expired: artifacts, uploads, and rows that are no longer needed.

Each sweep may run in several dispatchers at the same time, and handles a batch of rows.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.functions import Now
from django_celery_results.models import TaskResult
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from jobs import storage
from jobs.errors import BuildError, StaleJob
from jobs.models import (
    BulkAction,
    DownloadJob,
    EndedTokenFamily,
    IncomingUpload,
    JobEvent,
    Notification,
    QueueLimit,
    StoredFile,
)
from jobs.states import FINAL

log = structlog.get_logger(__name__)

BATCH = 100  # rows that a sweep handles at once
JOB_BATCH = 500  # with about 2,000 events
KEY_KEPT = timedelta(hours=24)
NOTIFICATION_KEPT = timedelta(days=30)
PAUSE_KEPT = timedelta(hours=1)  # after its end
MAX_FAILED = 3  # then a sweep stops: the store is probably unavailable


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
    for job_id, count in Counter(file.made_by_id for file in files).items():
        log.info("files deleted", job_id=str(job_id), files=count)
    return len(files)


def expire_abandoned_uploads() -> int:
    """Delete abandoned uploads and their objects. Return how many."""
    deleted = failed = 0
    for upload in IncomingUpload.objects.given_up()[:BATCH]:
        try:
            storage.delete_object_and_uploads(upload.key)
        except BuildError as error:
            log.warning("not given up", upload_id=str(upload.pk), error=repr(error))
            IncomingUpload.objects.filter(pk=upload.pk).give_up()  # to the end of the list
            failed += 1
            if failed == MAX_FAILED:
                break
        else:
            log.info("upload deleted", upload_id=str(upload.pk))
            upload.delete()
            deleted += 1
    return deleted


def expire_jobs() -> int:
    """Delete a batch of finished jobs, with their history and messages. Return how many."""
    with transaction.atomic():
        kept = timedelta(seconds=settings.JOB_KEPT_SECONDS)
        old = DownloadJob.objects.to_delete(kept, among=JOB_BATCH * 4)
        jobs = list(old.locked().values("pk", "request_id", "kind", "attempt")[:JOB_BATCH])
        DownloadJob.objects.filter(pk__in=[job["pk"] for job in jobs]).only("pk").delete()
    for job in jobs:
        names = {name: job[name] for name in ("request_id", "kind", "attempt")}
        log.info("deleted", job_id=str(job["pk"]), **names)
    return len(jobs)


def expire_tracebacks() -> int:
    """Delete the tracebacks of a batch of old events. Return how many."""
    kept = timedelta(seconds=settings.TRACEBACK_KEPT_SECONDS)
    old = JobEvent.objects.with_old_trace(kept).values("pk")[: BATCH * 10]
    return JobEvent.objects.filter(pk__in=old).update(detail="")


def expire_sessions() -> int:
    """Delete a batch of expired sessions. Return how many."""
    old = Session.objects.filter(expire_date__lt=Now()).order_by("expire_date")
    count, _ = Session.objects.filter(pk__in=old.values("pk")[: BATCH * 10]).delete()
    return count


def expire_task_results() -> int:
    """Delete a batch of old task results. Return how many."""
    old = TaskResult.objects.filter(date_done__lt=Now() - settings.CELERY_RESULT_EXPIRES)
    count, _ = TaskResult.objects.filter(pk__in=old.values("pk")[: BATCH * 10]).delete()
    return count


def expire_idempotency_keys() -> int:
    """Remove the idempotency keys of a batch of old jobs. Return how many."""
    old = DownloadJob.objects.with_old_key(KEY_KEPT).values("pk")[: BATCH * 10]
    return DownloadJob.objects.filter(pk__in=old).update(idempotency_key="", request_hash="")


def expire_refresh_tokens() -> int:
    """Delete a batch of expired refresh tokens. Return how many."""
    EndedTokenFamily.objects.filter(expires_at__lt=Now()).delete()
    expired = OutstandingToken.objects.filter(expires_at__lt=Now()).order_by("expires_at")
    batch = list(expired.values_list("pk", flat=True)[: BATCH * 10])
    OutstandingToken.objects.filter(pk__in=batch).delete()  # and their blacklist entries
    return len(batch)


def expire_bulk_actions() -> int:
    """Delete the reports of old bulk actions. Return how many."""
    kept = timedelta(seconds=settings.JOB_KEPT_SECONDS)
    count, _ = BulkAction.objects.filter(finished_at__lt=Now() - kept).delete()
    return count


def expire_queue_limits() -> int:
    """Delete the rows of pauses that have ended. Return how many."""
    ended = QueueLimit.objects.limiting_nothing().filter(changed_at__lt=Now() - PAUSE_KEPT)
    return ended.delete()[0]


def expire_notifications() -> int:
    """Delete a batch of old notifications. Return how many."""
    old = Notification.objects.settled().filter(created_at__lt=Now() - NOTIFICATION_KEPT)
    batch = old.order_by("created_at").values("pk")[: BATCH * 10]
    count, _ = Notification.objects.filter(pk__in=batch).delete()
    return count
