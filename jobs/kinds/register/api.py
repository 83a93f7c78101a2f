"""`POST /v1/files` registers objects; `GET` at the same URL lists files."""

from __future__ import annotations

from django.conf import settings
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.kinds.register.kind import Register
from jobs.web.api.downloads import submit_download
from jobs.web.api.files import FileList
from jobs.web.api.kinds import MayRequest
from jobs.web.openapi.decorators import describes
from jobs.web.poll_responses import accepted_response
from jobs.web.serializers import JobSerializer, request_of


class Files(FileList):
    """List files, or register the objects of a bucket."""

    rate = Register.rate
    sample = Register.example
    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    permission_classes = [IsAuthenticated, MayRequest]
    requested = Register()

    @describes(
        "register_files",
        {202: JobSerializer},
        request=request_of(Register),
        problems=["permission_denied"],
    )
    def post(self, request: Request) -> Response:
        """Register the objects of a bucket as files. For staff, or with the permission.

        Each new or changed object is read once. Files whose objects are gone are no longer listed.
        """
        job, is_new = submit_download(request, Register)
        return accepted_response(job, JobSerializer(job).data, is_new=is_new)
