"""The operations of the OpenAPI document. schema.py adds what similar operations share.

Handlers in the other modules are decorated with these. Nothing here runs for a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from jobs.web.api import examples
from jobs.web.api.schema import COUNT, WITH_A_TOKEN, Decorator, header, problems
from jobs.web.representation import EVENT_STREAM
from jobs.web.serializers import (
    AcceptedJob,
    AcceptedLink,
    AcceptedReport,
    AcceptedUpload,
    BundleRequest,
    CheckRequest,
    ChunkedRequest,
    ChunkForm,
    FileAvailability,
    JobResult,
    JobSerializer,
    LinkJob,
    QueueStatistics,
    ReceivedChunk,
    RemoteRequest,
    ReportJob,
    ReportRequest,
    UploadForm,
    UploadJob,
    UploadSerializer,
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
    enum=["", *KINDS],
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
UPLOAD_PROBLEMS = [
    "no_file", "type_not_allowed", "storage_unavailable", "store_full", *START_PROBLEMS
]  # fmt: skip
FILE_PROBLEMS = [
    "not_ready", "job_failed", "cancelled", "expired", "artifact_gone", "storage_unavailable"
]  # fmt: skip


def operation(
    name: str,
    responses: Mapping[Any, OpenApiResponse],
    *,
    body: Any = None,
    parameters: list[OpenApiParameter] | None = None,
    codes: list[str] | None = None,
) -> Decorator:
    """Describe an operation. `codes` are the problems that schema.py does not derive."""
    documented = extend_schema(
        operation_id=name, request=body, responses=responses, parameters=parameters or []
    )
    marked = problems(*codes or [])
    return lambda handler: documented(marked(handler))


def json(serializer: Any, *shown: OpenApiExample) -> dict[str, OpenApiRequest]:
    return {"application/json": OpenApiRequest(serializer, examples=list(shown))}


def form(serializer: Any, *shown: OpenApiExample) -> dict[str, OpenApiRequest]:
    return {"multipart/form-data": OpenApiRequest(serializer, examples=list(shown))}


def response(serializer: Any, description: str, *shown: OpenApiExample) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, list(shown))


def creating(name: str, body: Any, accepted: OpenApiResponse) -> Decorator:
    return operation(name, {202: accepted}, body=body, parameters=STARTING, codes=START_PROBLEMS)


def listing(name: str, serializer: type[JobSerializer], kind: str, *more: Any) -> Decorator:
    page = response(serializer(many=True), "A page of jobs.", *examples.jobs(kind, "completed"))
    parameters = [SEARCH, STATUS, *more, USER_ID]
    return operation(name, {200: page}, parameters=parameters, codes=["permission_denied"])


def polling(name: str, serializer: type[JobSerializer], *shown: OpenApiExample) -> Decorator:
    not_modified = OpenApiResponse(description="The job has not changed.")
    responses = {200: response(serializer, "The job.", *shown), 304: not_modified}
    return operation(name, responses, parameters=[IF_NONE_MATCH, PREFER, *WHEN_TO_POLL])


def cancelling(name: str, serializer: type[JobSerializer], kind: str) -> Decorator:
    cancelled = response(serializer, "The cancelled job.", *examples.jobs(kind, "cancelled"))
    return operation(name, {200: cancelled}, codes=["conflict"])


def fetching(name: str) -> Decorator:
    found = OpenApiResponse(description="A redirect to the file store. Do not send your token.")
    parameters = [*IF_NOT_READY, header("Location", "The file, for ten minutes.", 302)]
    return operation(name, {302: found}, parameters=parameters, codes=FILE_PROBLEMS)


def accepted(serializer: type[JobSerializer], kind: str, **members: Any) -> OpenApiResponse:
    return response(
        serializer, "Accepted. Poll the job.", *examples.jobs(kind, "queued", **members)
    )


BUNDLE = json(BundleRequest, examples.BUNDLE, examples.NAMED_BUNDLE, examples.BUNDLE_OF_JOBS)
ACCEPTED = accepted(AcceptedJob, "bundle", totalFileIds=3)
UNKNOWN_SIZE = {"total": None, "estimatedSecondsRemaining": None}

initiate = creating("initiate", BUNDLE, ACCEPTED)
start = operation(
    "start",
    {
        200: response(JobSerializer, "Finished.", *examples.jobs("bundle", "completed", "failed")),
        202: ACCEPTED,
    },
    body=BUNDLE,
    parameters=[*STARTING, header("Location", "The job.", 200)],
    codes=START_PROBLEMS,
)
AVAILABILITY = response(
    FileAvailability, "Available, or not.", examples.AVAILABLE, examples.NOT_AVAILABLE
)
check = operation(
    "check",
    {200: AVAILABILITY},
    body=json(CheckRequest, examples.CHECK),
    codes=["storage_unavailable"],
)
jobs = listing("jobs", JobSerializer, "bundle", KIND)
STATES = ["queued", "processing", "waiting", "completed", "failed", "cancelled"]
status = polling("status", JobSerializer, *examples.jobs("bundle", *STATES))
status_alias = polling(
    "status_alias",
    UploadJob,
    *examples.jobs("upload", "queued", "completed"),
    *examples.WITHOUT_PREVIEWS,
)
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
    (200, EVENT_STREAM): response(EVENT, "One event for each change.", examples.EVENT),
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
    {200: response(JobResult, "The URL of the file.", examples.RESULT)},
    parameters=IF_NOT_READY,
    codes=FILE_PROBLEMS,
)
download = fetching("download")
cancel = cancelling("cancel", JobSerializer, "bundle")
RETRIED = {202: response(JobSerializer, "Queued again.", *examples.jobs("bundle", "queued"))}
retry = operation("retry", RETRIED, parameters=WHERE_TO_POLL, codes=["conflict", *RUN_PROBLEMS])
admin_retry = operation(
    "admin_retry", RETRIED, parameters=WHERE_TO_POLL, codes=["conflict", "still_open"]
)

fetch_link = creating(
    "fetch_link",
    json(RemoteRequest, examples.LINK, examples.LINK_WITH_HASH, examples.SCHEDULED_LINK),
    accepted(AcceptedLink, "remote", message="Download job enqueued successfully", **UNKNOWN_SIZE),
)
links = listing("links", LinkJob, "remote")
LINKS = [
    *examples.jobs("remote", "queued", **UNKNOWN_SIZE),
    *examples.jobs("remote", "processing", message="Fetching from data.example", threads=4),
    *examples.jobs("remote", "completed"),
]
link = polling("link", LinkJob, *LINKS)
link_status = polling("link_status", LinkJob, *LINKS)
cancel_link = cancelling("cancel_link", LinkJob, "remote")

report = creating(
    "report",
    json(ReportRequest, examples.REPORT, examples.REPORT_OF_DAYS),
    accepted(AcceptedReport, "report", message="Report generation started", **UNKNOWN_SIZE),
)
reports = listing("reports", ReportJob, "report")
OF_JOBS = {"unit": "jobs", "done": 127, "total": 318}
report_status = polling(
    "report_status",
    ReportJob,
    *examples.jobs("report", "processing", message="Drawing page 4 of 12", speed=210, **OF_JOBS),
    *examples.jobs("report", "completed", **OF_JOBS | {"done": 318}),
)
report_download = fetching("report_download")
cancel_report = cancelling("cancel_report", ReportJob, "report")

UPLOADED = accepted(
    AcceptedUpload, "upload", message="File uploaded successfully, processing started"
)
upload = operation(
    "upload",
    {202: UPLOADED},
    body=form(UploadForm, examples.UPLOAD),
    parameters=STARTING,
    codes=UPLOAD_PROBLEMS,
)
upload_chunked = operation(
    "upload_chunked",
    {
        200: response(ReceivedChunk, "Incomplete.", examples.RECEIVED, examples.BEGUN),
        202: UPLOADED,
    },
    body=json(ChunkedRequest, examples.CHUNKED) | form(ChunkForm, examples.CHUNK),
    parameters=STARTING,
    codes=["permission_denied", "not_found", "too_many_uploads", *UPLOAD_PROBLEMS],
)
chunked_upload = operation(
    "chunked_upload", {200: response(UploadSerializer, "The upload.", examples.RECEIVING)}
)
abort_upload = operation(
    "give_up_upload", {204: OpenApiResponse(description="Aborted. The chunks are deleted.")}
)

queue_stats = operation(
    "queue_stats", {200: response(QueueStatistics, "The queue.", examples.QUEUE)}
)
worker_stats = operation(
    "worker_stats", {200: response(WorkerStatistics, "The workers.", examples.WORKERS)}
)

TOKEN_PAIR = response(
    inline_serializer(
        "TokenPair", {name: serializers.CharField() for name in ("access", "refresh")}
    ),
    "An access token for 15 minutes, and a refresh token that can be used once.",
    examples.TOKENS,
)
Serializer = type[serializers.Serializer[Any]]


def token(serializer: Serializer) -> Decorator:
    body, codes = json(serializer, examples.CREDENTIALS), ["no_active_account", "sign_in_closed"]
    return operation("token", {200: TOKEN_PAIR}, body=body, codes=codes)


def token_refresh(serializer: Serializer) -> Decorator:
    body = json(serializer, examples.REFRESH)
    return operation("token_refresh", {200: TOKEN_PAIR}, body=body, codes=WITH_A_TOKEN)


def token_revoke(serializer: Serializer) -> Decorator:
    body, revoked = json(serializer, examples.REFRESH), OpenApiResponse(description="Revoked.")
    return operation("token_revoke", {204: revoked}, body=body, codes=["token_not_valid"])
