"""Bundles, and what every kind's jobs share: poll, fetch, cancel, run again."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponseRedirect
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import storage
from jobs.engine.submission import resubmit, submit
from jobs.errors import StaleJob
from jobs.lib.database import release_connection
from jobs.models import DownloadJob, StoredFile
from jobs.states import FINAL, Actor, Status
from jobs.web.api import contract, examples
from jobs.web.api.lists import Listed
from jobs.web.api_responses import (
    accepted,
    asking,
    caller,
    idempotency_key,
    own_job,
    redirect_to_result,
    request_id,
    result_of,
    told,
)
from jobs.web.representation import EVENT_STREAM, event
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.serializers import (
    AcceptedJob,
    BundleRequest,
    CheckRequest,
    JobResult,
    JobSerializer,
    UploadJob,
    Wanted,
    WatchRequest,
)

LOOK_SECONDS = 0.3  # between two looks at the row while `start` waits
MAX_WAITING_STARTS = 4  # a process; they hold a thread each, the rest is sent polling at once


class Initiate(APIView):
    """Start a bundle: the stored files as one ZIP archive."""

    rate = "initiate"
    sample = examples.BUNDLE.value
    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    @contract.initiate
    def post(self, request: Request) -> Response:
        job, is_new = submitted(request, BundleRequest)
        return accepted(job, AcceptedJob(job).data, is_new=is_new)


class Start(APIView):
    """Start a bundle and wait a while: the finished job, or 202 to poll on."""

    rate = "initiate"
    sample = examples.BUNDLE.value
    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    waiting = threading.BoundedSemaphore(MAX_WAITING_STARTS)

    @contract.start
    def post(self, request: Request) -> Response:
        job, is_new = submitted(request, BundleRequest)
        if job.is_due and self.waiting.acquire(blocking=False):
            try:
                _wait(job)
            finally:
                self.waiting.release()
        told = JobSerializer if job.is_finished else AcceptedJob
        response = accepted(job, told(job).data, is_new=is_new)
        if job.is_finished:
            response.status_code = HTTPStatus.OK
            del response["Retry-After"]
        return response


def submitted(request: Request, wanted: type[Wanted]) -> tuple[DownloadJob, bool]:
    """Read what is asked for and record it: the job, and whether it is new."""
    asked = wanted(data=request.data, context=asking(request))
    asked.is_valid(raise_exception=True)
    return submit(
        owner=caller(request),
        request_id=request_id(request),
        key=idempotency_key(request),
        **asked.asked(),
    )


def _wait(job: DownloadJob) -> None:
    ends = time.monotonic() + settings.START_WAITS_SECONDS
    while not job.is_finished and time.monotonic() < ends:
        release_connection()
        time.sleep(LOOK_SECONDS)
        if DownloadJob.objects.filter(pk=job.pk, status__in=FINAL).exists():
            job.refresh_from_db()


class Check(APIView):
    """Is this file there? Without signing in, only the public catalogue is."""

    sample = {"file_id": 70000}
    max_body_bytes = SHORT_BODY_BYTES
    permission_classes = [AllowAny]

    @contract.check
    def post(self, request: Request) -> Response:
        asked = CheckRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        file_id = asked.validated_data["file_id"]
        file = StoredFile.objects.visible_to(request.user.pk).filter(file_id=file_id).first()
        release_connection()  # the store may be slow
        if file is None or not storage.exists(file.key, file.size_bytes):
            gone = dict.fromkeys(["s3Key", "size", "sha256"])
            return Response({"file_id": file_id, "available": False, **gone})
        there = {"s3Key": file.key, "size": file.size_bytes, "sha256": file.sha256}
        return Response({"file_id": file_id, "available": True, **there})


class Jobs(Listed):
    """The caller's jobs, newest first."""

    @contract.jobs
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class JobStatus(APIView):
    """Poll a job. Send `If-None-Match`; wait `Retry-After` seconds before the next poll."""

    @contract.status
    def get(self, request: Request, job_id: UUID) -> Response:
        return polled(request, job_id)


class EventStream(BaseRenderer):
    """An answer that is a server-sent event already."""

    media_type = EVENT_STREAM
    format = "events"
    charset = None
    render_style = "binary"

    def render(self, data: bytes, *_: Any, **__: Any) -> bytes:
        return data


class JobEvents(APIView):
    """Watch a job, as server-sent events.

    Behind our own web process the stream stays open (jobs/web/asgi/events.py). Here it has one
    event of each job, and ends: a browser asks again after `retry`, which is a poll.
    """

    renderer_classes = [EventStream]

    @contract.events
    def get(self, request: Request, job_id: UUID) -> Response:
        """Watch a job: an event for each change, until it has ended."""
        return Response(_event(request, job_id))


class EventsOfJobs(APIView):
    """Watch several jobs, as one stream of server-sent events."""

    renderer_classes = [EventStream]

    @contract.events_of_jobs
    def get(self, request: Request) -> Response:
        """Watch up to 50 jobs: an event for each change, until all have ended."""
        asked = WatchRequest(data=request.query_params)
        asked.is_valid(raise_exception=True)
        ids = asked.validated_data["jobs"]
        return Response(b"".join(_event(request, job_id) for job_id in ids))


def _event(request: Request, job_id: UUID) -> bytes:
    job = own_job(request, job_id)
    return event(job, JobSerializer(job).data)


class StatusAlias(JobStatus):
    """Poll a job, at the short address that older clients know."""

    @contract.status_alias
    def get(self, request: Request, job_id: UUID) -> Response:
        return polled(request, job_id, UploadJob)


def polled(
    request: Request, job_id: UUID, serializer: type[JobSerializer] = JobSerializer
) -> Response:
    job = own_job(request, job_id)
    return told(job, request, lambda: serializer(job).data)


class Result(APIView):
    """The finished file: a presigned address, and what it weighs."""

    @contract.result
    def get(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        result_of(job)
        return Response(JobResult(job).data)


class Download(APIView):
    """The bytes (by a redirect to the file store), or the end of the job."""

    bodiless_methods = ("GET", "HEAD")

    @contract.download
    def get(self, request: Request, job_id: UUID) -> HttpResponseRedirect:
        """Fetch the file. You are redirected to the file store, or told why there is none."""
        return redirect_to_result(own_job(request, job_id), request.method or "GET")

    head = get

    @contract.cancel
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job. Twice is well; a running builder stops within 2 s."""
        return cancelled(request, job_id)


def cancelled(
    request: Request, job_id: UUID, serializer: type[JobSerializer] = JobSerializer
) -> Response:
    job = own_job(request, job_id)
    try:
        job.cancel(Actor.OWNER)
    except StaleJob:
        job.refresh_from_db()
        if job.status != Status.CANCELLED:  # twice is well, at once too
            raise
    return Response(serializer(job).data)


class Retry(APIView):
    """Run a failed, cancelled or expired job again, under the same id."""

    rate = "initiate"
    sample = None

    @contract.retry
    def post(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        resubmit(job, Actor.OWNER)
        return accepted(job, JobSerializer(job).data)
