"""The job of a request, which must be the user's own."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.http import Http404, HttpRequest
from rest_framework.request import Request

from jobs.lib import replica
from jobs.models import DownloadJob
from jobs.web.authentication import authenticated_user
from jobs.web.poll_counter import count_poll_read
from jobs.web.poll_responses import is_current_on_replica, seen_version


def own_job(request: Request | HttpRequest, job_id: UUID) -> DownloadJob:
    """Return the user's job, with `params` deferred.

    Raises Http404, or PermissionDenied for the job of another user.
    """
    job = _find(DEFAULT_DB_ALIAS, job_id)
    if job is None or (
        settings.HIDE_FOREIGN_JOBS and job.owner_id != authenticated_user(request).pk
    ):
        raise Http404("This download does not exist.")
    if job.owner_id != authenticated_user(request).pk:
        raise PermissionDenied("This download belongs to another user.")
    return job


def polled_own_job(request: Request, job_id: UUID) -> DownloadJob:
    """As own_job, for polls: from the replica if it is up to date. Its relations are not."""
    if not replica.is_replica_configured():
        return own_job(request, job_id)
    job = _find_on_replica(request, job_id)
    count_poll_read(from_replica=job is not None)
    return job or own_job(request, job_id)


def _find_on_replica(request: Request, job_id: UUID) -> DownloadJob | None:
    """Return the user's job; None if the primary has to be read."""
    if not replica.REPLICA.is_usable():
        return None
    try:
        job = _find(replica.ALIAS, job_id)
    except DatabaseError as error:
        replica.REPLICA.record_failure(error)
        return None
    if job is None or job.owner_id != authenticated_user(request).pk:
        return None
    seen = seen_version(request.headers.get("If-None-Match", ""), str(job_id))
    if not is_current_on_replica(job, seen):
        return None
    job._state.db = DEFAULT_DB_ALIAS  # for what is read, or written, of it later
    return job


def _find(database: str, job_id: UUID) -> DownloadJob | None:
    jobs = DownloadJob.objects.using(database).select_related("owner", "artifact").defer("params")
    return jobs.filter(pk=job_id, deletion=None).first()
