"""Start bundles. Those without special requests are recorded by the native endpoint, too."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.kinds.bundle.kind import FilesBundle
from jobs.kinds.bundle.response import AcceptedJob
from jobs.lib.database import release_database_connection
from jobs.models import DownloadJob
from jobs.states import FINAL
from jobs.web.api.downloads import submit_download
from jobs.web.openapi.decorators import describes, header
from jobs.web.poll_responses import accepted_response
from jobs.web.serializers import JobSerializer, request_of

QUERY_SECONDS = 0.3  # between queries of the status while `start` waits
MAX_WAITING_STARTS = 4  # in a process; each holds a thread. Others return 202 at once


class Initiate(APIView):
    """Start a bundle: the stored files as one ZIP archive."""

    rate = FilesBundle.rate
    sample = FilesBundle.example
    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    @describes("initiate", {202: AcceptedJob}, request=request_of(FilesBundle))
    def post(self, request: Request) -> Response:
        job, is_new = submit_download(request, FilesBundle)
        return accepted_response(job, AcceptedJob(job).data, is_new=is_new)


class Start(APIView):
    """Start a bundle and wait for it: the finished job, or 202 to poll."""

    rate = FilesBundle.rate
    sample = FilesBundle.example
    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    waiting = threading.BoundedSemaphore(MAX_WAITING_STARTS)

    @describes(
        "start",
        {200: JobSerializer, 202: AcceptedJob},
        request=request_of(FilesBundle),
        parameters=[header("Location", "The job.", [200], required=True)],
    )
    def post(self, request: Request) -> Response:
        job, is_new = submit_download(request, FilesBundle)
        if job.is_due and self.waiting.acquire(blocking=False):
            try:
                _wait(job)
            finally:
                self.waiting.release()
        serializer = JobSerializer if job.is_finished else AcceptedJob
        response = accepted_response(job, serializer(job).data, is_new=is_new)
        if job.is_finished:
            response.status_code = HTTPStatus.OK
            del response["Retry-After"]
        return response


def _wait(job: DownloadJob) -> None:
    """Wait until the job is finished, for at most START_WAITS_SECONDS."""
    ends = time.monotonic() + settings.START_WAITS_SECONDS
    while not job.is_finished and time.monotonic() < ends:
        release_database_connection()
        time.sleep(QUERY_SECONDS)
        if DownloadJob.objects.filter(pk=job.pk, status__in=FINAL).exists():
            job.refresh_from_db()
