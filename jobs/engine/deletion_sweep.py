"""Delete for good what owners deleted, when it can no longer be undone. The dispatcher calls it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models.functions import Now

from jobs.errors import StaleJob
from jobs.lib.database import DATABASE_UNAVAILABLE
from jobs.models import Deletion, DownloadJob, ShareLink
from jobs.states import Actor

log = structlog.get_logger(__name__)

BATCH = 100  # jobs in one transaction
AFTER_ERROR = timedelta(minutes=5)
LINKS_KEPT = timedelta(days=30)


def sweep_deletions() -> int:
    """Delete a batch of what can no longer be restored. Return how many jobs and files."""
    deletion_id = Deletion.objects.due().filter(due_at__lte=Now()).values_list("pk", flat=True)
    if (first := deletion_id.first()) is None:
        return 0
    try:
        return _delete_for_good(first)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:  # one job must not stop the deletions of others
        log.exception("not deleted", deletion_id=str(first))
        Deletion.objects.filter(pk=first).update(due_at=Now() + AFTER_ERROR)
        return 0


def _delete_for_good(deletion_id: UUID) -> int:
    with transaction.atomic():
        found = Deletion.objects.due().select_for_update(skip_locked=True).filter(pk=deletion_id)
        if (deletion := found.first()) is None:
            return 0
        jobs = list(deletion.jobs.defer("params", "metadata")[:BATCH])
        for job in jobs:
            _delete_job(job)
        count = len(jobs)
        if count < BATCH:
            count += deletion.files.all().delete()[0]  # of no job: their objects are not ours
            deletion.delete()
    return count


def _delete_job(job: DownloadJob) -> None:
    try:
        job.delete_ended()
    except StaleJob:  # it is active, which no code of this release makes it
        DownloadJob.objects.filter(pk=job.pk).update(deletion=None)
        job.files.update(deletion=None)
    else:
        log.info("deleted", job_id=str(job.pk), kind=job.kind, by=Actor.OWNER.value)


def expire_share_links() -> int:
    """Delete a batch of share links that ended long ago. Return how many."""
    old = ShareLink.objects.ended_before(LINKS_KEPT).values("pk")[: BATCH * 10]
    return ShareLink.objects.filter(pk__in=old).delete()[0]
