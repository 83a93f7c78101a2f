"""The operations of bundles in the OpenAPI document."""

from __future__ import annotations

from jobs.kinds.bundle.kind import FilesBundle
from jobs.kinds.bundle.response import AcceptedJob
from jobs.web.openapi.decorators import (
    START_PROBLEMS,
    STARTING,
    accepted,
    creating,
    json_body,
    operation,
    response,
)
from jobs.web.openapi.schema import header
from jobs.web.serializers import JobSerializer, request_of

BODY = json_body(
    request_of(FilesBundle),
    example=FilesBundle.example,
)
FINISHED = response(JobSerializer, "Finished.")

initiate = creating("initiate", BODY, AcceptedJob)
start = operation(
    "start",
    {200: FINISHED, 202: accepted(AcceptedJob)},
    body=BODY,
    parameters=[*STARTING, header("Location", "The job.", 200)],
    codes=START_PROBLEMS,
)
