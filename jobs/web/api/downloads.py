"""What all kinds of jobs share: list, poll, fetch, cancel, retry."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponseRedirect
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import storage
from jobs.engine.submission import resubmit_job, submit_job
from jobs.errors import StaleJob
from jobs.kinds.base import Kind
from jobs.lib.database import release_database_connection
from jobs.models import DownloadJob, KeyScope, StoredFile
from jobs.states import Actor, Status
from jobs.web.api.lists import OwnJobList
from jobs.web.authentication import authenticated_user
from jobs.web.idempotency import idempotency_key
from jobs.web.openapi.decorators import (
    FILE_PROBLEMS,
    FILE_REDIRECT,
    KIND,
    describes,
    describes_job_list,
    describes_poll,
)
from jobs.web.own_job import own_job, polled_own_job
from jobs.web.poll_responses import accepted_response, poll_response
from jobs.web.request_ids import request_id
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.result_files import redirect_to_result, result_file
from jobs.web.serializers import (
    CheckRequest,
    FileAvailability,
    JobResult,
    JobSerializer,
    request_of,
)
from jobs.web.serializers.requests import request_serializer_context


def submit_download(request: Request, kind: type[Kind]) -> tuple[DownloadJob, bool]:
    """Validate the request and record its job. Return the job, and whether it is new."""
    serializer = request_of(kind)(data=request.data, context=request_serializer_context(request))
    serializer.is_valid(raise_exception=True)
    return submit_job(
        owner=authenticated_user(request),
        request_id=request_id(request),
        key=idempotency_key(request),
        **serializer.submission(),
    )


class CheckFile(APIView):
    """Check whether a file is available. Without signing in, only public files are.

    The response then only says yes or no.
    """

    sample = {"file_id": 70000}
    key_scope = KeyScope.READ
    max_body_bytes = SHORT_BODY_BYTES
    permission_classes = [AllowAny]

    @describes(
        "check", {200: FileAvailability}, request=CheckRequest, problems=["storage_unavailable"]
    )
    def post(self, request: Request) -> Response:
        serializer = CheckRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        file_id = serializer.validated_data["file_id"]
        file = StoredFile.objects.visible_to(request.user.pk).filter(file_id=file_id).first()
        release_database_connection()  # the store may be slow
        available = file is not None and storage.object_exists(
            file.key, file.size_bytes, bucket_name=file.bucket, etag=file.etag
        )
        body: dict[str, Any] = {"file_id": file_id, "available": available}
        if not request.user.is_authenticated:
            return Response(body)
        found = file if available else None
        return Response(
            body
            | {
                "s3Key": found and found.key,
                "size": found and found.size_bytes,
                "sha256": found and found.sha256,
            }
        )


class JobList(OwnJobList):
    """List your jobs, newest first."""

    @describes_job_list("jobs", JobSerializer, KIND)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class JobStatus(APIView):
    """Poll a job. Send `If-None-Match`, and wait `Retry-After` seconds between polls."""

    @describes_poll("status", JobSerializer)
    def get(self, request: Request, job_id: UUID) -> Response:
        return poll_download(request, job_id)


def poll_download(
    request: Request, job_id: UUID, serializer: type[JobSerializer] = JobSerializer
) -> Response:
    job = polled_own_job(request, job_id)
    return poll_response(job, request, lambda: serializer(job).data)


class ResultLink(APIView):
    """Get the presigned URL of the file, and its size."""

    @describes("result", {200: JobResult}, problems=FILE_PROBLEMS)
    def get(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        result_file(job)
        return Response(JobResult(job).data)


class DownloadFile(APIView):
    """Fetch the file of a job, or cancel it."""

    bodiless_methods = ("GET", "HEAD")

    @describes("download", FILE_REDIRECT, problems=FILE_PROBLEMS)
    def get(self, request: Request, job_id: UUID) -> HttpResponseRedirect:
        """Fetch the file: a redirect to the file store."""
        return redirect_to_result(own_job(request, job_id), request.method or "GET")

    head = get

    @describes("cancel", {200: JobSerializer}, problems=["conflict"])
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job. Idempotent. A running job stops within 2 s."""
        return cancel_download(request, job_id)


def cancel_download(
    request: Request, job_id: UUID, serializer: type[JobSerializer] = JobSerializer
) -> Response:
    job = own_job(request, job_id)
    try:
        job.cancel(Actor.OWNER)
    except StaleJob:
        job.refresh_from_db()
        if job.status != Status.CANCELLED:  # idempotent, also for simultaneous requests
            raise
    return Response(serializer(job).data)


class RetryJob(APIView):
    """Retry a failed, cancelled or expired job, under the same id."""

    rate = "initiate"
    sample = None

    @describes(
        "retry",
        {202: JobSerializer},
        problems=["conflict", "still_open", "too_many_active", "storage_full"],
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        resubmit_job(job, Actor.OWNER)
        return accepted_response(job, JobSerializer(job).data)
