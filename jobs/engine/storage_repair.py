"""Repair what storage_audit.py found: delete the rest, and let owners make lost results again."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from jobs import storage
from jobs.engine.storage_audit import Finding
from jobs.errors import StaleJob
from jobs.models import DownloadJob, StoredFile
from jobs.states import FINAL, Status

LEFT = "left: restore the object from a backup"


def repair(finding: Finding, *, is_dry_run: bool) -> str:
    """Repair it, and return what was done; in a dry run, what would be. Raises StorageUnavailable.

    An object without a row is deleted. A result that is lost or damaged expires, so that its owner
    can make it again; a preview is deleted. Other files only a backup can bring back.
    """
    if finding.file_pk is None:
        if not is_dry_run:
            storage.delete_object_and_uploads(finding.key)
        return "deleted"
    file = StoredFile.objects.select_related("made_by").filter(pk=finding.file_pk).first()
    if file is None:
        return "left: its row is gone"
    job = file.made_by
    if job is None or job.status != Status.COMPLETED:
        return LEFT
    if file.role == StoredFile.Role.ARTIFACT:
        return f"job {job.pk} expired" if is_dry_run else _expire(job)
    if not is_dry_run:
        _delete_preview(file, job)
    return f"{file.role} of job {job.pk} deleted"


def _expire(job: DownloadJob) -> str:
    DownloadJob.objects.filter(pk=job.pk, status=Status.COMPLETED).update(expires_at=Now())
    try:
        job.expire()  # the dispatcher deletes the objects that are left
    except StaleJob:
        return "left: its job changed meanwhile"
    return f"job {job.pk} expired"


def _delete_preview(file: StoredFile, job: DownloadJob) -> None:
    with transaction.atomic():
        DownloadJob.objects.filter(pk=job.pk, status__in=FINAL).update(collect_at=Now())
        file.delete()
