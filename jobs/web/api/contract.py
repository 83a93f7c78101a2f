"""What the OpenAPI document says of each operation; schema.py adds what all of a sort share.

A handler in the other modules wears one of these. Nothing here runs for a request.
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

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    pattern="^[!-~]{1,255}$",
    description="Any text of yours, such as a UUID. The same request with the same key within 24 h"
    " is answered with the job that the first one made, and `Idempotency-Replayed: true`; another"
    " request with it is 422.",
)
ETAG_SEEN = OpenApiParameter(
    "If-None-Match", location=OpenApiParameter.HEADER, description="The last answer's `ETag`."
)
PREFER = OpenApiParameter(
    "Prefer",
    location=OpenApiParameter.HEADER,
    description="With an `If-None-Match` that is still current: wait so many seconds for a change,"
    " as in `wait=20`, at most 30. `Preference-Applied` says that it was done.",
)
LAST_EVENT = OpenApiParameter(
    "Last-Event-ID",
    location=OpenApiParameter.HEADER,
    description="The `id` of the last event that you have. Browsers send it by themselves.",
)
WATCHED_JOBS = OpenApiParameter(
    "jobs",
    required=True,
    pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})*$",
    description=f"The ids of up to {MAX_WATCHED} jobs, with commas between.",
)
SEARCH = OpenApiParameter(
    "search",
    type={"type": "string", "maxLength": 100},
    pattern=r"^[^\u0000]*$",
    description="The beginning of the job's id, eight digits or more; or a part of the file's"
    f" name, which your newest {SEARCHED:,} jobs are looked through for.",
)
# An empty value is any: that is what a form sends for a choice that nobody made.
STATUS = OpenApiParameter("status", enum=["", *Status.values], description="Empty: whatever it is.")
KIND = OpenApiParameter(
    "kind",
    enum=["", *KINDS],
    description=f"Of your newest {SEARCHED:,} jobs those of the kind. Empty: of any kind.",
)
USER_ID = OpenApiParameter(
    "userId",
    pattern="^[0-9]*$",
    description="For staff: whose jobs. The links to the files of others are left out.",
)
WHERE_TO_POLL = [
    header("Location", "Where to poll the job.", 202),
    header("Retry-After", "Seconds until the first poll.", 202, schema=COUNT),
]
WHEN_TO_POLL = [
    header("ETag", "The job's version, for `If-None-Match`.", 200, 304),
    header("Retry-After", "Seconds until the next poll.", 200, 304, schema=COUNT, sure=False),
]
IF_NOT_READY = [
    header("Location", "Where to poll, if it is not ready.", 409, sure=False),
    header("Retry-After", "Seconds until the next poll.", 409, schema=COUNT, sure=False),
]
STARTING = [
    IDEMPOTENCY_KEY,
    *WHERE_TO_POLL,
    header("Idempotency-Replayed", "`true`: an earlier request made it.", 200, 202, sure=False),
    header("Retry-After", "Seconds until the next try.", 409, schema=COUNT, sure=False),
]
MAY_NOT_RUN = ["still_open", "too_many_active", "storage_full"]
# A link, or the address of a webhook, may lead to where we do not send anything.
MAY_NOT_START = ["idempotency_key_reused", "blocked_address", *MAY_NOT_RUN]
NO_FILE = [
    "not_ready", "job_failed", "cancelled", "expired", "artifact_gone", "storage_unavailable"
]  # fmt: skip


def operation(
    name: str,
    answers: Mapping[Any, OpenApiResponse],
    *,
    body: Any = None,
    parameters: list[OpenApiParameter] | None = None,
    refusals: list[str] | None = None,
) -> Decorator:
    """`refusals` are codes of problems that not every operation of the sort answers."""
    documented = extend_schema(
        operation_id=name, request=body, responses=answers, parameters=parameters or []
    )
    marked = problems(*refusals or [])
    return lambda handler: documented(marked(handler))


def json(serializer: Any, *shown: OpenApiExample) -> dict[str, OpenApiRequest]:
    return {"application/json": OpenApiRequest(serializer, examples=list(shown))}


def form(serializer: Any, *shown: OpenApiExample) -> dict[str, OpenApiRequest]:
    return {"multipart/form-data": OpenApiRequest(serializer, examples=list(shown))}


def response(serializer: Any, sentence: str, *shown: OpenApiExample) -> OpenApiResponse:
    return OpenApiResponse(serializer, sentence, list(shown))


BUNDLE = json(BundleRequest, examples.BUNDLE, examples.NAMED_BUNDLE, examples.LINKS_IN_ONE)
ACCEPTED = response(AcceptedJob, "Recorded; poll on.", examples.ACCEPTED)
ENDED = [examples.COMPLETED, examples.FAILED]

initiate = operation(
    "initiate", {202: ACCEPTED}, body=BUNDLE, parameters=STARTING, refusals=MAY_NOT_START
)
start = operation(
    "start",
    {200: response(JobSerializer, "It has ended.", *ENDED), 202: ACCEPTED},
    body=BUNDLE,
    parameters=[*STARTING, header("Location", "The job's own address.", 200)],
    refusals=MAY_NOT_START,
)
check = operation(
    "check",
    {200: response(FileAvailability, "It is there, or not.", examples.THERE, examples.NOT_THERE)},
    body=json(CheckRequest, examples.CHECK),
    refusals=["storage_unavailable"],
)
jobs = operation(
    "jobs",
    {200: response(JobSerializer(many=True), "A page of them.", examples.COMPLETED)},
    parameters=[SEARCH, STATUS, KIND, USER_ID],
    refusals=["permission_denied"],
)


def polling(name: str, serializer: type[JobSerializer], *shown: OpenApiExample) -> Decorator:
    seen = OpenApiResponse(description="As you know it.")
    answers = {200: response(serializer, "The job.", *shown), 304: seen}
    return operation(name, answers, parameters=[ETAG_SEEN, PREFER, *WHEN_TO_POLL])


JOBS = [examples.QUEUED, examples.RUNNING, examples.WAITING, *ENDED, examples.CANCELLED]
LINKS = [examples.QUEUED_LINK, examples.RUNNING_LINK, examples.COMPLETED_LINK]
OLDER = [examples.QUEUED, examples.COMPLETED_UPLOAD, examples.WITHOUT_PREVIEWS]
status = polling("status", JobSerializer, *JOBS)
status_alias = polling("status_alias", UploadJob, *OLDER)
EVENT = {
    "type": "object",
    "description": "A server-sent event. `data` is the job, as a poll has it.",
    "properties": {
        "id": {"type": "string"},
        "retry": {"type": "integer"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "data"],
}
WATCHED = {
    (200, EVENT_STREAM): OpenApiResponse(
        EVENT, description="One event a change.", examples=[examples.EVENT]
    ),
    204: OpenApiResponse(description="It has ended, as `Last-Event-ID` says that you know."),
}
events = operation("events", WATCHED, parameters=[LAST_EVENT])
events_of_jobs = operation(
    "events_of_jobs",
    WATCHED,
    parameters=[LAST_EVENT, WATCHED_JOBS],
    refusals=["not_found", "permission_denied"],
)
result = operation(
    "result",
    {200: response(JobResult, "Where it is.", examples.RESULT)},
    parameters=IF_NOT_READY,
    refusals=NO_FILE,
)
FETCHED: dict[str, Any] = {
    "answers": {
        302: OpenApiResponse(description="Go to the file store; do not send your token there.")
    },
    "parameters": [*IF_NOT_READY, header("Location", "The file, for ten minutes.", 302)],
    "refusals": NO_FILE,
}
download = operation("download", **FETCHED)
cancel = operation(
    "cancel",
    {200: response(JobSerializer, "It is over.", examples.CANCELLED)},
    refusals=["conflict"],
)
QUEUED_AGAIN = {202: response(JobSerializer, "Queued again.", examples.QUEUED)}
retry = operation(
    "retry", QUEUED_AGAIN, parameters=WHERE_TO_POLL, refusals=["conflict", *MAY_NOT_RUN]
)
admin_retry = operation(
    "admin_retry", QUEUED_AGAIN, parameters=WHERE_TO_POLL, refusals=["conflict", "still_open"]
)

fetch_link = operation(
    "fetch_link",
    {202: response(AcceptedLink, "Recorded; poll on.", examples.ACCEPTED_LINK)},
    body=json(RemoteRequest, examples.LINK, examples.EXPECTED_LINK, examples.LATER_LINK),
    parameters=STARTING,
    refusals=MAY_NOT_START,
)
links = operation(
    "links",
    {200: response(LinkJob(many=True), "A page of them.", examples.COMPLETED_LINK)},
    parameters=[SEARCH, STATUS, USER_ID],
    refusals=["permission_denied"],
)
link = polling("link", LinkJob, *LINKS)
link_status = polling("link_status", LinkJob, *LINKS)
cancel_link = operation(
    "cancel_link",
    {200: response(LinkJob, "It is over.", examples.CANCELLED_LINK)},
    refusals=["conflict"],
)

report = operation(
    "report",
    {202: response(AcceptedReport, "Recorded; poll on.", examples.ACCEPTED_REPORT)},
    body=json(ReportRequest, examples.REPORT, examples.REPORT_OF_DAYS),
    parameters=STARTING,
    refusals=MAY_NOT_START,
)
reports = operation(
    "reports",
    {200: response(ReportJob(many=True), "A page of them.", examples.COMPLETED_REPORT)},
    parameters=[SEARCH, STATUS, USER_ID],
    refusals=["permission_denied"],
)
report_status = polling(
    "report_status", ReportJob, examples.RUNNING_REPORT, examples.COMPLETED_REPORT
)
report_download = operation("report_download", **FETCHED)
cancel_report = operation(
    "cancel_report",
    {200: response(ReportJob, "It is over.", examples.CANCELLED_REPORT)},
    refusals=["conflict"],
)

UPLOADED = response(AcceptedUpload, "All of it is here; poll on.", examples.ACCEPTED_UPLOAD)
MAY_NOT_UPLOAD = [
    "no_file", "type_not_allowed", "storage_unavailable", "store_full", *MAY_NOT_START
]  # fmt: skip

upload = operation(
    "upload",
    {202: UPLOADED},
    body=form(UploadForm, examples.UPLOAD),
    parameters=STARTING,
    refusals=MAY_NOT_UPLOAD,
)
upload_chunked = operation(
    "upload_chunked",
    {
        200: response(ReceivedChunk, "As far as it has come.", examples.RECEIVED, examples.BEGUN),
        202: UPLOADED,
    },
    body=json(ChunkedRequest, examples.CHUNKED) | form(ChunkForm, examples.CHUNK),
    parameters=STARTING,
    refusals=["permission_denied", "not_found", "too_many_uploads", *MAY_NOT_UPLOAD],
)
chunked_upload = operation(
    "chunked_upload", {200: response(UploadSerializer, "What has arrived.", examples.ARRIVING)}
)
give_up_upload = operation(
    "give_up_upload", {204: OpenApiResponse(description="What had arrived is deleted.")}
)

queue_stats = operation(
    "queue_stats", {200: response(QueueStatistics, "The queue as a whole.", examples.QUEUE)}
)
worker_stats = operation(
    "worker_stats", {200: response(WorkerStatistics, "The workers.", examples.WORKERS)}
)

PAIR = response(
    inline_serializer(
        "TokenPair", {name: serializers.CharField() for name in ("access", "refresh")}
    ),
    "A token for 15 minutes, and one to renew both with, once.",
    examples.TOKENS,
)


def token(credentials: type[serializers.Serializer[Any]]) -> Decorator:
    return operation(
        "token",
        {200: PAIR},
        body=json(credentials, examples.CREDENTIALS),
        refusals=["no_active_account", "sign_in_closed"],
    )


def token_refresh(old: type[serializers.Serializer[Any]]) -> Decorator:
    return operation(
        "token_refresh",
        {200: PAIR},
        body=json(old, examples.REFRESH),
        refusals=WITH_A_TOKEN,
    )


def token_revoke(old: type[serializers.Serializer[Any]]) -> Decorator:
    return operation(
        "token_revoke",
        {204: OpenApiResponse(description="It works no longer.")},
        body=json(old, examples.REFRESH),
        refusals=["token_not_valid"],
    )
