"""The operations of uploads in the OpenAPI document."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from jobs.kinds.upload.chunk_response import ReceivedChunk, UploadSerializer
from jobs.kinds.upload.request import ChunkedRequest, ChunkForm, UploadForm
from jobs.kinds.upload.response import AcceptedUpload, UploadJob
from jobs.models import IncomingUpload
from jobs.web.openapi.decorators import (
    START_PROBLEMS,
    STARTING,
    accepted,
    form_body,
    json_body,
    operation,
    polling,
    response,
)
from jobs.web.openapi.examples import JOB_ID, STARTED, JobExample, derived, jobs
from jobs.web.serializers import ProcessedFile

PROBLEMS = ["no_file", "type_not_allowed", "storage_unavailable", "store_full", *START_PROBLEMS]
CHUNKED = {"fileName": "drone.mp4", "totalSize": 20_000_000}
CHUNK = {"jobId": JOB_ID, "chunkIndex": 1, "totalChunks": 3, "chunk": "(8,388,608 bytes)"}
BEGUN, ONE_CHUNK = (
    IncomingUpload(
        id=JOB_ID, name="drone.mp4", size_bytes=20_000_000, chunk_bytes=8_388_608,
        received=received, touched_at=STARTED,
    )
    for received in ([], [1])
)  # fmt: skip
NAMED = {"fileId": 1_000_005, "fileName": "harbour thumbnail.jpg", "contentType": "image/jpeg"}
WITH_PREVIEW = JobExample(
    UploadJob,
    "completed",
    contentType="image/jpeg",
    processedFiles={"thumbnail": derived(ProcessedFile()) | NAMED},
    metadata={"width": 6000, "height": 4000},
)
WITHOUT_PREVIEWS = JobExample(
    UploadJob,
    "completed",
    name="Completed, without previews",
    fileName="offer.pdf",
    contentType="application/pdf",
    processedFiles={},
    metadata={
        "skipped": "The PDF is protected by a password.", "skippedCode": "file_encrypted"
    },
)  # fmt: skip

upload = operation(
    "upload",
    {202: accepted(AcceptedUpload)},
    body=form_body(UploadForm, a_picture={"file": "(the bytes of harbour.jpg)"}),
    parameters=STARTING,
    codes=PROBLEMS,
)
upload_chunked = operation(
    "upload_chunked",
    {
        200: response(
            ReceivedChunk,
            "Incomplete.",
            OpenApiExample("Begun", ReceivedChunk(BEGUN).data),
            OpenApiExample("A chunk", ReceivedChunk(ONE_CHUNK).data),
        ),
        202: accepted(AcceptedUpload),
    },
    body=json_body(ChunkedRequest, a_file_in_chunks=CHUNKED)
    | form_body(ChunkForm, the_second_chunk=CHUNK),
    parameters=STARTING,
    codes=["permission_denied", "not_found", "too_many_uploads", *PROBLEMS],
)
A_CHUNK = OpenApiExample("A chunk", UploadSerializer(ONE_CHUNK).data)
chunked_upload = operation(
    "chunked_upload", {200: response(UploadSerializer, "The upload.", A_CHUNK)}
)
abort_upload = operation(
    "give_up_upload", {204: OpenApiResponse(description="Aborted. The chunks are deleted.")}
)
status_alias = polling(
    "status_alias", UploadJob, *jobs(UploadJob, "queued"), WITH_PREVIEW, WITHOUT_PREVIEWS
)
