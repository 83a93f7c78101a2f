"""The job of a request, which must be the user's own."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from rest_framework.request import Request

from jobs.models import DownloadJob
from jobs.web.authentication import authenticated_user


def own_job(request: Request | HttpRequest, job_id: UUID) -> DownloadJob:
    """Return the user's job, with `params` deferred.

    Raises Http404, or PermissionDenied for the job of another user.
    """
    jobs = DownloadJob.objects.select_related("owner", "artifact").defer("params")
    job = jobs.filter(pk=job_id).first()
    if job is None or (
        settings.HIDE_FOREIGN_JOBS and job.owner_id != authenticated_user(request).pk
    ):
        raise Http404("This download does not exist.")
    if job.owner_id != authenticated_user(request).pk:
        raise PermissionDenied("This download belongs to another user.")
    return job
