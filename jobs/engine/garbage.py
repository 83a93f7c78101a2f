"""Delete the objects of finished jobs that no row refers to.

What else has no row is found by storage_audit.py.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from jobs import storage
from jobs.errors import BuildError
from jobs.kinds.registry import KINDS, kind_folder
from jobs.models import DeletedJob, DownloadJob, IncomingUpload
from jobs.states import FINAL

log = structlog.get_logger(__name__)

BATCH = 100  # jobs that are read at once
MAX_FAILED = 3  # then a sweep stops: the store is probably unavailable


def collect_garbage() -> int:
    """Delete objects of finished jobs that have no row. Return how many objects."""
    deleted = failed = 0
    # Of kinds that are installed: where the others store their objects is not known.
    to_collect = DownloadJob.objects.to_collect().filter(kind__in=list(KINDS))
    while failed < MAX_FAILED and (jobs := list(to_collect.all()[:BATCH])):
        for job in jobs:
            try:
                if count := _collect(job):
                    log.info("objects deleted", job_id=str(job.pk), kind=job.kind, objects=count)
                    deleted += count
            except BuildError as error:
                failed += 1
                log.warning("not collected", job_id=str(job.pk), error=repr(error))
                # Later, so that one that always fails does not block the others.
                later = Now() + timedelta(seconds=settings.COLLECT_EVERY_SECONDS)
                DownloadJob.objects.filter(pk=job.pk).to_collect().update(collect_at=later)
    return deleted


def collect_deleted_jobs() -> int:
    """Delete the objects of jobs that operators deleted. Return how many objects."""
    deleted = failed = 0
    to_collect = DeletedJob.objects.filter(collect_at__lte=Now(), kind__in=list(KINDS))
    while failed < MAX_FAILED and (jobs := list(to_collect.order_by("collect_at")[:BATCH])):
        for job in jobs:
            try:
                deleted += _collect_deleted(job)
                again = job.finished_at + _late(job.kind, job.size_bytes)
            except BuildError as error:
                failed += 1
                log.warning("not collected", job_id=str(job.pk), error=repr(error))
                again = timezone.now() + timedelta(seconds=settings.COLLECT_EVERY_SECONDS)
            if again > timezone.now():
                DeletedJob.objects.filter(pk=job.pk).update(collect_at=again)
            else:
                job.delete()
    return deleted


def _collect_deleted(job: DeletedJob) -> int:
    folders = [f"{KINDS[job.kind].folder}/{job.pk}/", f"{IncomingUpload.FOLDER}/{job.pk}/"]
    return sum(storage.delete_all_objects_but([], prefix=folder) for folder in folders)


def _late(kind: str, size_bytes: int) -> timedelta:
    """Return how long after a job ended its worker may still store an object.

    The worker of a large job may go on longer after losing it: its time limit is later.
    """
    late = KINDS[kind].time_limit.extra_seconds(size_bytes)
    return timedelta(seconds=settings.COLLECT_AGAIN_SECONDS + late)


def _collect(job: DownloadJob) -> int:
    kept = set(job.files.values_list("key", flat=True))
    deleted = 0
    # Only the folders of attempts up to the one read with the final status: if the job is run
    # again meanwhile, its new attempt has a higher number.
    for attempt in range(1, job.attempt + 1):
        deleted += storage.delete_all_objects_but(kept, prefix=f"{kind_folder(job)}{attempt}/")
    if KINDS[job.kind].is_stored and not job.files.received().exists():
        deleted += storage.delete_all_objects_but(kept, prefix=f"{IncomingUpload.FOLDER}/{job.pk}/")
    again = F("finished_at") + _late(job.kind, max(job.done, job.total or 0))
    row = DownloadJob.objects.filter(pk=job.pk, attempt=job.attempt, status__in=FINAL)
    if not row.filter(collect_at__lt=again).update(collect_at=again):
        row.update(collect_at=None)  # this was the second time
    return deleted
