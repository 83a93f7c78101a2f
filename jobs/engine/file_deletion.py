"""Delete a stored file. The dispatcher deletes the objects of jobs later."""

from __future__ import annotations

from contextlib import suppress

from django.db import transaction
from django.db.models.functions import Now

from jobs import storage
from jobs.errors import StaleJob
from jobs.models import DownloadJob, StoredFile
from jobs.states import FINAL, Status


def delete_file(file: StoredFile) -> None:
    """Delete the row. The object of a registered file stays; any other goes.

    The job of an artifact expires, with all its files. Idempotent. Raises StorageUnavailable for a
    file of no job, when its row is gone.
    """
    job = file.made_by
    if job is None:
        StoredFile.objects.filter(pk=file.pk).delete()
        if not file.is_registered:
            storage.delete_object_and_uploads(file.key)
    elif file.role == StoredFile.Role.ARTIFACT:
        with suppress(StaleJob):  # it has expired, or runs again
            expire_job_now(job)
    else:
        delete_preview(file, job)


def expire_job_now(job: DownloadJob) -> None:
    """Expire a completed job before its time. Raises StaleJob."""
    DownloadJob.objects.filter(pk=job.pk, status=Status.COMPLETED).update(expires_at=Now())
    job.expire()


def delete_preview(file: StoredFile, job: DownloadJob) -> None:
    """Delete a file that a job made beside its artifact."""
    with transaction.atomic():
        DownloadJob.objects.filter(pk=job.pk, status__in=FINAL).update(collect_at=Now())
        StoredFile.objects.filter(pk=file.pk).delete()
