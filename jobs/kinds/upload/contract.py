"""The operations of uploads in the OpenAPI document."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse

from jobs.kinds.upload.chunk_response import ReceivedChunk, UploadSerializer
from jobs.kinds.upload.request import ChunkedRequest, ChunkForm, UploadForm
from jobs.kinds.upload.response import AcceptedUpload, UploadJob
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

PROBLEMS = ["no_file", "type_not_allowed", "storage_unavailable", "store_full", *START_PROBLEMS]
CHUNKED = {"fileName": "drone.mp4", "totalSize": 20_000_000}

upload = operation(
    "upload",
    {202: accepted(AcceptedUpload)},
    body=form_body(
        UploadForm,
    ),
    parameters=STARTING,
    codes=PROBLEMS,
)
upload_chunked = operation(
    "upload_chunked",
    {
        200: response(
            ReceivedChunk,
            "Incomplete.",
        ),
        202: accepted(AcceptedUpload),
    },
    body=json_body(ChunkedRequest, example=CHUNKED) | form_body(ChunkForm),
    parameters=STARTING,
    codes=["permission_denied", "not_found", "too_many_uploads", *PROBLEMS],
)
chunked_upload = operation("chunked_upload", {200: response(UploadSerializer, "The upload.")})
abort_upload = operation(
    "give_up_upload", {204: OpenApiResponse(description="Aborted. The chunks are deleted.")}
)
status_alias = polling("status_alias", UploadJob)
