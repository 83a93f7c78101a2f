"""Uploads: a file in one form, or in chunks that can be resumed."""

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
from jobs.errors import SourceMissing, StorageUnavailable
from jobs.kinds.upload import chunks, receive
from jobs.kinds.upload.chunk_response import ReceivedChunk, UploadSerializer
from jobs.kinds.upload.kind import Upload
from jobs.kinds.upload.request import ChunkedRequest, ChunkForm, ChunkRequest, UploadForm
from jobs.kinds.upload.response import AcceptedUpload, UploadJob
from jobs.lib.filetypes import HEAD_BYTES
from jobs.models import DownloadJob, IncomingUpload, KeyScope
from jobs.web.api.downloads import poll_download
from jobs.web.authentication import authenticated_user
from jobs.web.error_responses import RETRY_SOON
from jobs.web.idempotency import idempotency_key
from jobs.web.multipart_form import FORM, MultipartForm
from jobs.web.multipart_problems import no_file_problem
from jobs.web.openapi.decorators import describes, describes_poll
from jobs.web.own_job import own_job
from jobs.web.poll_responses import accepted_response
from jobs.web.problems import Problem
from jobs.web.request_ids import request_id
from jobs.web.serializers import terms_of_form
from jobs.web.serializers.requests import request_serializer_context

CONTENT_RANGE = re.compile(
    r"bytes +([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)", re.ASCII | re.IGNORECASE
)
# Codes of problems, for the OpenAPI document.
FILE_REFUSED = ["no_file", "type_not_allowed", "storage_unavailable", "store_full"]


class UploadView(APIView):
    """Upload a file. It is stored, then checked and processed."""

    rate = Upload.rate
    sample = None
    reads_forms = True
    key_scope = KeyScope.UPLOAD

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.form = MultipartForm(request, max_bytes=settings.MAX_UPLOAD_BYTES)
        return super().initialize_request(request, *args, **kwargs)

    @describes("upload", {202: AcceptedUpload}, form=UploadForm, problems=FILE_REFUSED)
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        if "Content-Range" in request.headers:  # or a part would be stored as the whole file
            sentence = "Send the whole file, or its chunks to /upload/chunked."
            raise ValidationError({"Content-Range": [sentence]})
        file = self.form.file()
        if file is None:
            raise no_file_problem()
        with _titled_upload_failed():
            job, is_new = receive.receive_upload(
                authenticated_user(request),
                file.name,
                file,
                most_bytes=self.form.max_file_bytes,
                terms=lambda: terms_of_form(self.form.fields, request_serializer_context(request)),
                request_id=request_id(request),
                key=key,
            )
        return accepted_response(job, AcceptedUpload(job).data, is_new=is_new)


class ChunkedUploadView(APIView):
    """Upload a file in chunks. Begin with JSON, then send one form for each chunk, in any order."""

    sample = {"fileName": "drone.mp4", "totalSize": 20_000_000}
    reads_forms = True
    key_scope = KeyScope.UPLOAD

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.form = None
        if request.content_type == FORM:
            max_bytes = storage.multipart_part_bytes(
                settings.MAX_CHUNKED_UPLOAD_BYTES, least=chunks.CHUNK_BYTES
            )
            self.form = MultipartForm(request, max_bytes=max_bytes)
        return super().initialize_request(request, *args, **kwargs)

    @property
    def rate(self) -> str:
        """The rate limit of the request, which is counted before the body is read."""
        return "chunk" if self.form else Upload.rate

    @describes(
        "upload_chunked",
        {200: ReceivedChunk, 202: AcceptedUpload},
        problems=["permission_denied", "not_found", "too_many_uploads", *FILE_REFUSED],
        request=ChunkedRequest,
        form=ChunkForm,
    )
    def post(self, request: Request) -> Response:
        return self._receive(request, self.form) if self.form else self._begin(request)

    def _begin(self, request: Request) -> Response:
        serializer = ChunkedRequest(data=request.data, context=request_serializer_context(request))
        serializer.is_valid(raise_exception=True)
        key = idempotency_key(request)
        with _titled_upload_failed():
            upload, is_new = chunks.begin_chunks(
                authenticated_user(request), key=key, **serializer.upload_arguments()
            )
        if isinstance(upload, DownloadJob):
            return _completed(upload, is_new=False)
        headers = {} if is_new else {"Idempotency-Replayed": "true"}
        return Response(ReceivedChunk(upload).data, headers=headers)

    def _receive(self, request: Request, form: MultipartForm) -> Response:
        with TemporaryFile() as content:
            chunk = form.file("chunk")
            for piece in chunk or ():
                content.write(piece)  # on disk: a slow client must not take up memory
            serializer = ChunkRequest(data=form.fields)  # fields may follow the file
            serializer.is_valid(raise_exception=True)
            if chunk is None:
                raise no_file_problem("The form has no file `chunk`.")
            upload = _own_upload(request, serializer.validated_data["jobId"])
            if isinstance(upload, IncomingUpload):
                number = serializer.number_in(upload)
                _check_content_range(request, upload, number)
                upload = _put(upload, number, content, request_id(request))
        if isinstance(upload, DownloadJob):
            return _completed(upload)
        return Response(ReceivedChunk(upload).data)


class ChunkedUpload(APIView):
    """Get the state of an upload in chunks, or abort it."""

    bodiless_methods = ("DELETE",)
    key_scope = KeyScope.UPLOAD

    @describes("chunked_upload", {200: UploadSerializer})
    def get(self, request: Request, job_id: UUID) -> Response:
        """Get the received chunks of an upload, to send the missing ones.

        `complete` is true once the upload has become a job.
        """
        found = _own_upload(request, job_id)
        if isinstance(found, DownloadJob):
            found = chunks.all_chunks_received(found)
        if not found.chunk_bytes:
            raise Http404("This upload is not chunked.")
        return Response(UploadSerializer(found).data)

    @describes("give_up_upload", {204: "Aborted. The chunks are deleted."})
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Abort an incomplete upload, and delete its chunks."""
        found = _own_upload(request, job_id)
        if isinstance(found, DownloadJob):
            raise Http404("The upload is complete. Cancel the job instead.")
        receive.give_up_received(found)
        return Response(status=HTTPStatus.NO_CONTENT)


class StatusAlias(APIView):
    """Poll a job, at the path of older clients."""

    @describes_poll("status_alias", UploadJob)
    def get(self, request: Request, job_id: UUID) -> Response:
        return poll_download(request, job_id, UploadJob)


@contextmanager
def _titled_upload_failed() -> Iterator[None]:
    """Title a problem of the file store "Upload failed", which older clients look for."""
    try:
        yield
    except StorageUnavailable as error:
        unavailable = HTTPStatus.SERVICE_UNAVAILABLE
        raise Problem(
            unavailable, error.code, str(error), RETRY_SOON, title="Upload failed"
        ) from error


def _own_upload(request: Request, upload_id: UUID) -> IncomingUpload | DownloadJob:
    """Return the user's upload, or its job if it is complete.

    Raises Http404, or PermissionDenied for that of another user.
    """
    upload = IncomingUpload.objects.coming().in_chunks().filter(pk=upload_id).first()
    is_own = upload is not None and upload.owner_id == authenticated_user(request).pk
    if upload is None or (settings.HIDE_FOREIGN_JOBS and not is_own):
        job = own_job(request, upload_id)
        if job.kind != Upload.name:
            raise Http404("This upload does not exist.")
        return job
    if not is_own:
        raise PermissionDenied("This upload belongs to another user.")
    return upload


def _completed(job: DownloadJob, *, is_new: bool = True) -> Response:
    return accepted_response(job, {"received": True} | AcceptedUpload(job).data, is_new=is_new)


def _check_content_range(request: Request, upload: IncomingUpload, number: int) -> None:
    """Raise ValidationError if there is a Content-Range (RFC 9110 14.4) with other bytes."""
    header = request.headers.get("Content-Range")
    if header is None:
        return
    first = number * upload.chunk_bytes
    last, total = first + upload.size_of(number) - 1, upload.size_bytes
    found = CONTENT_RANGE.fullmatch(header)
    matches = found and (int(found[1]), int(found[2])) == (first, last)
    if not (found and matches and (found[3] == "*" or int(found[3]) == total)):
        sentence = f"Chunk {number} is bytes {first}-{last}/{total}."
        raise ValidationError({"Content-Range": [sentence]})


def _put(
    upload: IncomingUpload, number: int, content: IO[bytes], request_id: str
) -> IncomingUpload | DownloadJob:
    if (received := content.tell()) != (expected := upload.size_of(number)):
        sentence = f"Chunk {number} has {expected:,} bytes; {received:,} were received."
        raise ValidationError({"chunk": [sentence]})
    content.seek(0)
    if number == 0:
        receive.check_received_type(content.read(HEAD_BYTES), upload.name)
        content.seek(0)
    try:
        with _titled_upload_failed():
            return chunks.put_chunk(upload, number, content, request_id=request_id)
    except SourceMissing as error:
        raise Http404("This upload does not exist.") from error
