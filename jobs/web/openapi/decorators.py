"""The operations of the OpenAPI document. schema.py adds what similar operations share.

Handlers in the other modules are decorated with these. Nothing here runs for a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.utils.functional import SimpleLazyObject
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from jobs.kinds.registry import KINDS
from jobs.models.newest import SEARCHED
from jobs.states import Status
from jobs.web.openapi.schema import COUNT, WITH_A_TOKEN, Decorator, header, problems
from jobs.web.representation import EVENT_STREAM
from jobs.web.serializers import (
    CheckRequest,
    FileAvailability,
    JobResult,
    JobSerializer,
    KindsResponse,
    QueueStatistics,
    WorkerStatistics,
)
from jobs.web.serializers.requests import MAX_WATCHED


def _request_header(name: str, description: str, **schema: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, location=OpenApiParameter.HEADER, description=description, **schema
    )


IDEMPOTENCY_KEY = _request_header(
    "Idempotency-Key",
    "Any unique text, such as a UUID. The same request with the same key within 24 h returns the"
    " first job, and `Idempotency-Replayed: true`; a different request with the key is 422.",
    pattern="^[!-~]{1,255}$",
)
IF_NONE_MATCH = _request_header("If-None-Match", "The `ETag` of the last response.")
PREFER = _request_header(
    "Prefer",
    "`wait=20` waits up to 20 s (at most 30) for a change, if the `If-None-Match` is still current."
    " `Preference-Applied` confirms it.",
)
LAST_EVENT = _request_header(
    "Last-Event-ID", "The `id` of the last event that you have. Browsers send it."
)
WATCHED_JOBS = OpenApiParameter(
    "jobs",
    required=True,
    pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})*$",
    description=f"The ids of up to {MAX_WATCHED} jobs, separated by commas.",
)
SEARCH = OpenApiParameter(
    "search",
    type={"type": "string", "maxLength": 100},
    pattern=r"^[^\u0000]*$",
    description="At least the first eight digits of a job id, or a part of a file name among your"
    f" newest {SEARCHED:,} jobs.",
)
# A form sends an empty value for a choice that was not made.
STATUS = OpenApiParameter("status", enum=["", *Status.values], description="Empty: any status.")
KIND = OpenApiParameter(
    "kind",
    enum=cast(list[str], SimpleLazyObject(lambda: ["", *KINDS])),
    description=f"Jobs of this kind among your newest {SEARCHED:,}. Empty: any kind.",
)
USER_ID = OpenApiParameter(
    "userId",
    pattern="^[0-9]*$",
    description="For staff: the owner of the jobs. Without links to the files of other owners.",
)
WHERE_TO_POLL = [
    header("Location", "The URL to poll.", 202),
    header("Retry-After", "Seconds until the first poll.", 202, schema=COUNT),
]
WHEN_TO_POLL = [
    header("ETag", "The version of the job, for `If-None-Match`.", 200, 304),
    header("Retry-After", "Seconds until the next poll.", 200, 304, schema=COUNT, required=False),
]
IF_NOT_READY = [
    header("Location", "The URL to poll, if the job is active.", 409, required=False),
    header("Retry-After", "Seconds until the next poll.", 409, schema=COUNT, required=False),
]
STARTING = [
    IDEMPOTENCY_KEY,
    *WHERE_TO_POLL,
    header("Idempotency-Replayed", "`true` for an earlier job.", 200, 202, required=False),
    header("Retry-After", "Seconds until the next attempt.", 409, schema=COUNT, required=False),
]
RUN_PROBLEMS = ["still_open", "too_many_active", "storage_full"]
# `blocked_address` is for a link, or for a webhook.
START_PROBLEMS = ["idempotency_key_reused", "blocked_address", *RUN_PROBLEMS]
FILE_PROBLEMS = [
    "not_ready", "job_failed", "makes_no_file", "cancelled", "expired", "artifact_gone",
    "storage_unavailable",
]  # fmt: skip


def operation(
    name: str,
    responses: Mapping[Any, OpenApiResponse],
    *,
    body: Any = None,
    parameters: list[OpenApiParameter] | None = None,
    codes: Sequence[str] = (),
) -> Decorator:
    """Describe an operation. `codes` are the problems that schema.py does not derive."""
    documented = extend_schema(
        operation_id=name, request=body, responses=responses, parameters=parameters or []
    )
    marked = problems(*codes)
    return lambda handler: documented(marked(handler))


def json_body(serializer: Any, **examples: Any) -> dict[str, OpenApiRequest]:
    """Describe a request. Without an example, schema.py derives one."""
    return {"application/json": OpenApiRequest(serializer, examples=named(examples))}


def form_body(serializer: Any, **examples: Any) -> dict[str, OpenApiRequest]:
    return {"multipart/form-data": OpenApiRequest(serializer, examples=named(examples))}


def named(examples: Mapping[str, Any]) -> list[OpenApiExample]:
    """Return the examples by name, such as `by_night`."""
    return [
        OpenApiExample(name.replace("_", " ").capitalize(), value)
        for name, value in examples.items()
    ]


def response(serializer: Any, description: str) -> OpenApiResponse:
    return OpenApiResponse(serializer, description)


def accepted(serializer: type[JobSerializer]) -> OpenApiResponse:
    return response(serializer, "Accepted. Poll the job.")


def creating(
    name: str,
    request: Any,
    serializer: type[JobSerializer],
    *more_codes: str,
) -> Decorator:
    """Describe an operation that creates a job."""
    responses = {202: accepted(serializer)}
    codes = [*START_PROBLEMS, *more_codes]
    return operation(name, responses, body=request, parameters=STARTING, codes=codes)


def listing(name: str, serializer: type[JobSerializer], *more: OpenApiParameter) -> Decorator:
    page = response(serializer(many=True), "A page of jobs.")
    parameters = [SEARCH, STATUS, *more, USER_ID]
    return operation(name, {200: page}, parameters=parameters, codes=["permission_denied"])


def polling(name: str, serializer: type[JobSerializer]) -> Decorator:
    """Describe a poll. Its examples are a job in each state."""
    found = response(serializer, "The job.")
    not_modified = OpenApiResponse(description="The job has not changed.")
    parameters = [IF_NONE_MATCH, PREFER, *WHEN_TO_POLL]
    return operation(name, {200: found, 304: not_modified}, parameters=parameters)


def cancelling(name: str, serializer: type[JobSerializer]) -> Decorator:
    return operation(name, {200: response(serializer, "The cancelled job.")}, codes=["conflict"])


def fetching(name: str) -> Decorator:
    found = OpenApiResponse(description="A redirect to the file store. Do not send your token.")
    parameters = [*IF_NOT_READY, header("Location", "The file, for ten minutes.", 302)]
    return operation(name, {302: found}, parameters=parameters, codes=FILE_PROBLEMS)


CHECK = {"file_id": 70000}
check = operation(
    "check",
    {200: response(FileAvailability, "Available, or not.")},
    body=json_body(CheckRequest),
    codes=["storage_unavailable"],
)
jobs = listing("jobs", JobSerializer, KIND)
status = polling("status", JobSerializer)
EVENT = {
    "type": "object",
    "description": "A server-sent event. `data` is the job, as in a poll.",
    "properties": {
        "id": {"type": "string"},
        "retry": {"type": "integer"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "data"],
}
EVENTS = {
    (200, EVENT_STREAM): response(EVENT, "One event for each change."),
    204: OpenApiResponse(description="Finished, and you have the last event."),
}
events = operation("events", EVENTS, parameters=[LAST_EVENT])
events_of_jobs = operation(
    "events_of_jobs",
    EVENTS,
    parameters=[LAST_EVENT, WATCHED_JOBS],
    codes=["not_found", "permission_denied"],
)
result = operation(
    "result",
    {200: response(JobResult, "The URL of the file.")},
    parameters=IF_NOT_READY,
    codes=FILE_PROBLEMS,
)
download = fetching("download")
cancel = cancelling("cancel", JobSerializer)
RETRIED = {202: response(JobSerializer, "Queued again.")}
retry = operation("retry", RETRIED, parameters=WHERE_TO_POLL, codes=["conflict", *RUN_PROBLEMS])
admin_retry = operation(
    "admin_retry", RETRIED, parameters=WHERE_TO_POLL, codes=["conflict", "still_open"]
)
kinds = operation("kinds", {200: response(KindsResponse, "The kinds.")})
queue_stats = operation("queue_stats", {200: response(QueueStatistics, "The queue.")})
worker_stats = operation("worker_stats", {200: response(WorkerStatistics, "The workers.")})

TOKEN_PAIR = response(
    inline_serializer(
        "TokenPair", {name: serializers.CharField() for name in ("access", "refresh")}
    ),
    "An access token for 15 minutes, and a refresh token that can be used once.",
)
Serializer = type[serializers.Serializer[Any]]


def token(serializer: Serializer) -> Decorator:
    codes = ["no_active_account", "sign_in_closed"]
    return operation("token", {200: TOKEN_PAIR}, body=json_body(serializer), codes=codes)


def token_refresh(serializer: Serializer) -> Decorator:
    body = json_body(serializer)
    return operation("token_refresh", {200: TOKEN_PAIR}, body=body, codes=WITH_A_TOKEN)


def token_revoke(serializer: Serializer) -> Decorator:
    revoked = OpenApiResponse(description="Revoked.")
    body = json_body(serializer)
    return operation("token_revoke", {204: revoked}, body=body, codes=["token_not_valid"])
