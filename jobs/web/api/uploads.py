"""Uploads: a file in one form, or in chunks that survive a broken line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import storage
from jobs.engine import uploads
from jobs.errors import SourceMissing, StorageUnavailable
from jobs.lib.filetypes import HEAD_BYTES
from jobs.models import UPLOAD, DownloadJob, IncomingUpload
from jobs.web.api import contract, examples
from jobs.web.api_responses import (
    SOON,
    accepted,
    asking,
    caller,
    idempotency_key,
    own_job,
    request_id,
)
from jobs.web.multipart_form import FORM, Form, no_file
from jobs.web.problems import Problem
from jobs.web.serializers import (
    AcceptedUpload,
    ChunkedRequest,
    ChunkRequest,
    ReceivedChunk,
    UploadSerializer,
    terms_of_form,
)

CONTENT_RANGE = re.compile(
    r"bytes +([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)", re.ASCII | re.IGNORECASE
)


class Uploads(APIView):
    """Send a file: it is stored as it comes, then checked and processed."""

    rate = "upload"
    sample = None
    reads_forms = True

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.form = Form(request, max_bytes=settings.MAX_UPLOAD_BYTES)
        return super().initialize_request(request, *args, **kwargs)

    @contract.upload
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        if "Content-Range" in request.headers:  # what is a part would be stored as the whole
            sentence = "Send the whole file, or its chunks to /upload/chunked."
            raise ValidationError({"Content-Range": [sentence]})
        file = self.form.file()
        if file is None:
            raise no_file()
        with _told_as_failed():
            job, is_new = uploads.receive(
                caller(request),
                file.name,
                file,
                most_bytes=self.form.promised_bytes,
                terms=lambda: terms_of_form(self.form.fields, caller(request)),
                request_id=request_id(request),
                key=key,
            )
        return accepted(job, AcceptedUpload(job).data, is_new=is_new)


class Chunked(APIView):
    """Send a large file in chunks: begin with JSON, then send forms, in any order."""

    sample = examples.CHUNKED.value
    reads_forms = True

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.form = None
        if request.content_type == FORM:
            most = storage.part_bytes(settings.MAX_CHUNKED_UPLOAD_BYTES, least=uploads.CHUNK_BYTES)
            self.form = Form(request, max_bytes=most)
        return super().initialize_request(request, *args, **kwargs)

    @property
    def rate(self) -> str:
        """Counted before either is read."""
        return "chunk" if self.form else "upload"

    @contract.upload_chunked
    def post(self, request: Request) -> Response:
        return self._receive(request, self.form) if self.form else self._begin(request)

    def _begin(self, request: Request) -> Response:
        asked = ChunkedRequest(data=request.data, context=asking(request))
        asked.is_valid(raise_exception=True)
        key = idempotency_key(request)
        with _told_as_failed():
            begun, is_new = uploads.begin(caller(request), key=key, **asked.asked())
        if isinstance(begun, DownloadJob):
            return _became(begun, is_new=False)
        headers = {} if is_new else {"Idempotency-Replayed": "true"}
        return Response(ReceivedChunk(begun).data, headers=headers)

    def _receive(self, request: Request, form: Form) -> Response:
        with TemporaryFile() as content:
            chunk = form.file("chunk")
            for piece in chunk or ():
                content.write(piece)  # where a slow client's takes nobody's memory
            asked = ChunkRequest(data=form.fields)  # they may stand behind the file
            asked.is_valid(raise_exception=True)
            if chunk is None:
                raise no_file("The form has no file `chunk`.")
            now = _own_upload(request, asked.validated_data["jobId"])
            if isinstance(now, IncomingUpload):
                number = asked.number_in(now)
                _check_content_range(request, now, number)
                now = _put(now, number, content, request_id(request))
        return _became(now) if isinstance(now, DownloadJob) else Response(ReceivedChunk(now).data)


class ChunkedUpload(APIView):
    """What has arrived of a file in chunks; or give it up."""

    bodiless_methods = ("DELETE",)

    @contract.chunked_upload
    def get(self, request: Request, job_id: UUID) -> Response:
        """See what has arrived, to send what is missing. `complete` once it is a job."""
        found = _own_upload(request, job_id)
        if isinstance(found, DownloadJob):
            found = uploads.completed_upload(found)
        if not found.chunk_bytes:
            raise Http404("It came in one form.")
        return Response(UploadSerializer(found).data)

    @contract.give_up_upload
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Give up an upload that is not complete. What has arrived is deleted."""
        found = _own_upload(request, job_id)
        if isinstance(found, DownloadJob):
            raise Http404("It is complete: cancel the job.")
        uploads.give_up(found)
        return Response(status=HTTPStatus.NO_CONTENT)


@contextmanager
def _told_as_failed() -> Iterator[None]:
    """Older clients look for these words."""
    try:
        yield
    except StorageUnavailable as error:
        unavailable = HTTPStatus.SERVICE_UNAVAILABLE
        raise Problem(unavailable, error.code, str(error), SOON, title="Upload failed") from error


def _own_upload(request: Request, upload_id: UUID) -> IncomingUpload | DownloadJob:
    """The caller's; the job, if it has become that. 404 and 403 as for a job."""
    upload = IncomingUpload.objects.coming().in_chunks().filter(pk=upload_id).first()
    is_mine = upload is not None and upload.owner_id == caller(request).pk
    if upload is None or (settings.HIDE_FOREIGN_JOBS and not is_mine):
        job = own_job(request, upload_id)
        if job.kind != UPLOAD:
            raise Http404("There is no such upload.")
        return job
    if not is_mine:
        raise PermissionDenied("This is somebody else's upload.")
    return upload


def _became(job: DownloadJob, *, is_new: bool = True) -> Response:
    return accepted(job, {"received": True} | AcceptedUpload(job).data, is_new=is_new)


def _check_content_range(request: Request, upload: IncomingUpload, number: int) -> None:
    """Raise ValidationError where the header (RFC 9110 14.4) is there and names other bytes."""
    sent = request.headers.get("Content-Range")
    if sent is None:
        return
    first = number * upload.chunk_bytes
    last, total = first + upload.size_of(number) - 1, upload.size_bytes
    found = CONTENT_RANGE.fullmatch(sent)
    is_it = found and (int(found[1]), int(found[2])) == (first, last)
    if not (found and is_it and (found[3] == "*" or int(found[3]) == total)):
        sentence = f"Chunk {number} is bytes {first}-{last}/{total}."
        raise ValidationError({"Content-Range": [sentence]})


def _put(
    upload: IncomingUpload, number: int, content: IO[bytes], request_id: str
) -> IncomingUpload | DownloadJob:
    if (came := content.tell()) != (expected := upload.size_of(number)):
        sentence = f"Chunk {number} has {expected:,} bytes; {came:,} came."
        raise ValidationError({"chunk": [sentence]})
    content.seek(0)
    if number == 0:
        uploads.check_type(content.read(HEAD_BYTES), upload.name)
        content.seek(0)
    try:
        with _told_as_failed():
            return uploads.put(upload, number, content, request_id=request_id)
    except SourceMissing as error:
        raise Http404("There is no such upload.") from error
