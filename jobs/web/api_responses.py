"""What the API and the pages share: the user, a job of theirs, and the responses about a job."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import parse_etags
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import storage
from jobs.kinds.registry import KINDS
from jobs.lib.database import release_database_connection
from jobs.models import DownloadJob, JobRow, StoredFile
from jobs.states import Status
from jobs.web.problems import Problem

KEY = re.compile(r"[!-~]{1,255}")
FIRST_POLLS_SECONDS = 10  # while a job is younger, a small bundle may be ready any second
ETAG_SECONDS = (
    300  # half the lifetime of a presigned URL, so that a 304 never refers to an expired one
)


def authenticated_user(request: Request | HttpRequest) -> User:
    """Return the user. The permission class or `sign_in_required` made sure that there is one."""
    return cast(User, request.user)


def request_serializer_context(request: Request | HttpRequest) -> dict[str, Any]:
    """Return the context that request serializers need."""
    return {"owner": authenticated_user(request)}


def idempotency_key(request: Request) -> str:
    """Return the `Idempotency-Key` header, or an empty string. Raises ValidationError."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        raise exceptions.ValidationError(
            {"Idempotency-Key": ["Use 1 to 255 visible ASCII characters."]}
        )
    return key or ""


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


def status_url(job: DownloadJob) -> str:
    return reverse("status", args=[job.pk])


def accepted_response(job: DownloadJob, body: Any, *, is_new: bool = True) -> Response:
    """Return 202 with the URL to poll, and the seconds until the first poll."""
    headers = {"Location": status_url(job), "Retry-After": "3"}
    if not is_new:
        headers["Idempotency-Replayed"] = "true"
    return Response(body, status=HTTPStatus.ACCEPTED, headers=headers)


def poll_after_seconds(job: DownloadJob | JobRow) -> int:
    """Return the seconds until the next poll of an active job: 1 at first, 5 in the end."""
    age = time.time() - job.created_at.timestamp()
    return 1 if age < FIRST_POLLS_SECONDS else 3 if age < 60 else 5


def poll_etag(job: DownloadJob | JobRow) -> str:
    """Return an ETag that changes with the job, and every ETAG_SECONDS."""
    job_id = str(job.pk).replace("-", "")
    return f'"{job_id}-{job.version}-{int(time.time() // ETAG_SECONDS)}"'


def poll_headers(job: DownloadJob | JobRow) -> dict[str, str]:
    headers = {"ETag": poll_etag(job)}
    if not job.is_finished:
        headers["Retry-After"] = str(poll_after_seconds(job))
    return headers


def poll_etag_matches(if_none_match: str, tag: str) -> bool:
    """Return True if the If-None-Match header has this ETag."""
    if not if_none_match:
        return False
    tags = parse_etags(if_none_match)
    return "*" in tags or tag in [each.removeprefix("W/") for each in tags]


def poll_response(job: DownloadJob, request: Request, body: Callable[[], Any]) -> Response:
    """Return 304 if the client has this version of the job, else 200 with `body()`."""
    headers = poll_headers(job)
    if poll_etag_matches(request.headers.get("If-None-Match", ""), headers["ETag"]):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body(), headers=headers)


def result_file(job: DownloadJob) -> StoredFile:
    """Return the file of a completed job. Raises Problem if there is none in the store."""
    if not KINDS[job.kind].makes_file:
        raise Problem(HTTPStatus.CONFLICT, "makes_no_file", "This download makes no file.")
    if not job.is_finished:
        headers = {"Location": status_url(job), "Retry-After": str(poll_after_seconds(job))}
        raise Problem(HTTPStatus.CONFLICT, "not_ready", "The file is not ready yet.", headers)
    if job.status == Status.FAILED:
        raise Problem(HTTPStatus.CONFLICT, "job_failed", job.error)
    if job.artifact is None:
        raise Problem(HTTPStatus.GONE, job.status, f"The download is {job.status}.")
    release_database_connection()  # the store may be slow
    if not storage.object_exists(job.artifact.key, job.artifact.size_bytes):
        raise Problem(HTTPStatus.GONE, "artifact_gone", "The file no longer exists.")
    return job.artifact


def redirect_to_result(job: DownloadJob, method: str) -> HttpResponseRedirect:
    return redirect_to_file(result_file(job), method)


def redirect_to_file(file: StoredFile, method: str) -> HttpResponseRedirect:
    """Return 302 to a presigned URL. It is signed for the method, GET or HEAD."""
    signed_for = "HEAD" if method == "HEAD" else "GET"
    url = storage.presigned_url(
        file.key, name=file.name, content_type=file.content_type, method=signed_for
    )
    # Keep the page's URL out of the log of the file store.
    return HttpResponseRedirect(url, headers={"Referrer-Policy": "no-referrer"})
