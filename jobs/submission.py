"""Taking work in: a new job from a caller, or an old one that somebody wants again."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from jobs.kinds import KINDS, Params, artifact_name, doorbell
from jobs.models import DownloadJob
from jobs.queue import ring_after_commit
from jobs.states import Actor


def submit(
    *,
    owner: User,
    kind: str,
    params: Params,
    name: str = "",
    priority: int = 4,
    request_id: str = "",
) -> DownloadJob:
    """Record the job and ring for a worker after the commit.

    `params` are already valid for `kind`; serializers.py sees to that.
    """
    with transaction.atomic():
        job = DownloadJob.objects.submit(
            owner=owner,
            kind=kind,
            params=params,
            name=artifact_name(KINDS[kind], name, params),
            priority=priority,
            request_id=request_id,
            total=_hold_sources(kind, params, owner),
        )
        ring_after_commit(doorbell(job))
    return job


def resubmit(job: DownloadJob, by: Actor) -> None:
    """Run a finished job again under the same id. Raises StaleJob if it is not one to run again."""
    with transaction.atomic():
        job.requeue(by, total=_hold_sources(job.kind, job.params, job.owner))
        ring_after_commit(doorbell(job))


def _hold_sources(kind: str, params: Params, owner: User) -> int:
    """Keep what the job will read from expiring under it; the bytes that it will read."""
    sources = KINDS[kind].sources(params, owner)
    sources.keep_until(Now() + timedelta(seconds=settings.SOURCE_KEPT_SECONDS))
    return int(sources.aggregate(bytes=Sum("size_bytes", default=0))["bytes"])
