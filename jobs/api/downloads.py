"""Bundles, and what every kind's jobs share: poll, fetch, cancel, run again."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponseRedirect
from django_filters import rest_framework as filters
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import storage
from jobs.api import contract, examples
from jobs.errors import StaleJob
from jobs.http import (
    accepted,
    caller,
    idempotency_key,
    own_job,
    redirect_to_result,
    request_id,
    result_of,
    told,
)
from jobs.kinds import KINDS
from jobs.models import DownloadJob, StoredFile
from jobs.models.job_queryset import JobQuerySet
from jobs.patience import give_back_connection
from jobs.serializers import (
    AcceptedJob,
    BundleRequest,
    CheckRequest,
    JobResult,
    JobSerializer,
)
from jobs.states import FINAL, Actor, Status
from jobs.submission import resubmit, submit

LOOK_SECONDS = 0.3  # between two looks at the row while `start` waits
MAX_WAITING_STARTS = 4  # a process; they hold a thread each, the rest is sent polling at once


class Initiate(APIView):
    """Start a bundle: the stored files as one ZIP archive."""

    rate = "initiate"
    sample = examples.BUNDLE.value

    @contract.initiate
    def post(self, request: Request) -> Response:
        job, is_new = _submit(request)
        return accepted(job, AcceptedJob(job).data, is_new=is_new)


class Start(APIView):
    """Start a bundle and wait a while: the finished job, or 202 to poll on."""

    rate = "initiate"
    sample = examples.BUNDLE.value
    waiting = threading.BoundedSemaphore(MAX_WAITING_STARTS)

    @contract.start
    def post(self, request: Request) -> Response:
        job, is_new = _submit(request)
        if self.waiting.acquire(blocking=False):
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


def _submit(request: Request) -> tuple[DownloadJob, bool]:
    bundle = BundleRequest(data=request.data)
    bundle.is_valid(raise_exception=True)
    return submit(
        owner=caller(request),
        request_id=request_id(request),
        key=idempotency_key(request),
        **bundle.asked(),
    )


def _wait(job: DownloadJob) -> None:
    ends = time.monotonic() + settings.START_WAITS_SECONDS
    while not job.is_finished and time.monotonic() < ends:
        give_back_connection()
        time.sleep(LOOK_SECONDS)
        if DownloadJob.objects.filter(pk=job.pk, status__in=FINAL).exists():
            job.refresh_from_db()


class Check(APIView):
    """Is this file there? Without signing in, only the public catalogue is."""

    sample = {"file_id": 70000}
    permission_classes = [AllowAny]

    @contract.check
    def post(self, request: Request) -> Response:
        asked = CheckRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        file_id = asked.validated_data["file_id"]
        file = StoredFile.objects.visible_to(request.user.pk).filter(file_id=file_id).first()
        give_back_connection()  # the store may be slow
        if file is None or not storage.has(file.key, file.size_bytes):
            gone = dict.fromkeys(["s3Key", "size", "sha256"])
            return Response({"file_id": file_id, "available": False, **gone})
        there = {"s3Key": file.key, "size": file.size_bytes, "sha256": file.sha256}
        return Response({"file_id": file_id, "available": True, **there})


class Newest(CursorPagination):
    page_size = 20
    max_page_size = 100
    page_size_query_param = "limit"
    ordering = ("-created_at", "-id")

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("limit", str(self.page_size))
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= self.max_page_size):
            raise ValidationError({"limit": [f"A number from 1 to {self.max_page_size}."]})
        return int(asked)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_page_size}
        limit["default"] = self.page_size
        told = {"limit": "How many at most.", "cursor": "From `next` or `previous` of a page."}
        schemas = {"limit": limit, "cursor": {"type": "string", "pattern": "^[A-Za-z0-9+/=]*$"}}
        return [
            {"name": name, "in": "query", "description": told[name], "schema": schemas[name]}
            for name in told
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        address = {"type": ["string", "null"], "format": "uri"}
        following = "https://downloads.example.org/v1/download/jobs?cursor=cD0yMDI2LTExLTIy"
        members = {
            "next": address | {"example": following},
            "previous": address | {"example": None},
            "results": schema,
        }
        return {"type": "object", "properties": members, "required": list(members)}

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                datetime.fromisoformat(str(cursor.position)).astimezone(UTC)
        except (NotFound, ValueError, OverflowError) as error:
            raise ValidationError({"cursor": ["Not a cursor of this list."]}) from error
        return cursor


class JobFilter(filters.FilterSet):  # type: ignore[misc] # the library has no types
    status = filters.ChoiceFilter(choices=Status.choices)
    kind = filters.ChoiceFilter(choices=[(name, name) for name in KINDS])
    search = filters.CharFilter(method="by_name_or_id", max_length=100, label="Name or id")

    class Meta:
        model = DownloadJob
        fields = ["search", "status", "kind"]  # in this order: searched are the newest of all

    def by_name_or_id(self, jobs: JobQuerySet, name: str, value: str) -> JobQuerySet:
        return jobs.found_by(value)


class Jobs(ListAPIView[DownloadJob]):
    """The caller's jobs, newest first."""

    queryset = DownloadJob.objects.none()  # for the schema; see get_queryset
    serializer_class = JobSerializer
    pagination_class = Newest
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = JobFilter

    def get_queryset(self) -> QuerySet[DownloadJob]:
        jobs = DownloadJob.objects.filter(owner=caller(self.request))
        return jobs.select_related("artifact").defer("params")

    @contract.jobs
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class JobStatus(APIView):
    """Poll a job. Send `If-None-Match`; wait `Retry-After` seconds before the next poll."""

    @contract.status
    def get(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        return told(job, request, lambda: JobSerializer(job).data)


class StatusAlias(JobStatus):
    """Poll a job, at the short address that older clients know."""

    @contract.status_alias
    def get(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        return told(job, request, lambda: JobSerializer(job).data)


class Result(APIView):
    """The finished file: a presigned address, and what it weighs."""

    @contract.result
    def get(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        result_of(job)
        return Response(JobResult(job).data)


class Download(APIView):
    """The bytes (by a redirect to the file store), or the end of the job."""

    @contract.download
    def get(self, request: Request, job_id: UUID) -> HttpResponseRedirect:
        """Fetch the file. You are redirected to the file store, or told why there is none."""
        return redirect_to_result(own_job(request, job_id), request.method or "GET")

    head = get

    @contract.cancel
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job. Twice is well; a running builder stops within 2 s."""
        job = own_job(request, job_id)
        try:
            job.cancel(Actor.OWNER)
        except StaleJob:
            job.refresh_from_db()
            if job.status != Status.CANCELLED:  # twice is well, at once too
                raise
        return Response(JobSerializer(job).data)


class Retry(APIView):
    """Run a failed, cancelled or expired job again, under the same id."""

    rate = "initiate"
    sample = None

    @contract.retry
    def post(self, request: Request, job_id: UUID) -> Response:
        job = own_job(request, job_id)
        resubmit(job, Actor.OWNER)
        return accepted(job, JobSerializer(job).data)
