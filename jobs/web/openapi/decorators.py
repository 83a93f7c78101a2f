"""Decorators that describe the handlers of the API in the OpenAPI document, and what they share.

schema.py adds what it can derive. Nothing here runs for a request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.utils.functional import SimpleLazyObject
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from jobs.kinds.registry import KINDS
from jobs.models.newest import SEARCHED
from jobs.states import Status
from jobs.web.representation import EVENT_STREAM
from jobs.web.serializers import JobSerializer
from jobs.web.serializers.requests import JOB_ID, MAX_WATCHED

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def header(
    name: str, description: str, responses: Sequence[int] | bool = False, **more: Any
) -> OpenApiParameter:
    """Describe a header of requests, or of responses: with these statuses, or True for all."""
    if name == "Retry-After":
        more["type"] = {"type": "integer", "minimum": 0}
    more |= {"location": OpenApiParameter.HEADER, "response": responses}
    return OpenApiParameter(name, description=description, **more)


REQUEST_ID = "Identifies the request in the logs and on its job. Send your own, or get a new one."
COMMON_HEADERS = [
    header("X-Request-ID", REQUEST_ID),
    header("X-Request-ID", REQUEST_ID, True, required=True),
    header("WWW-Authenticate", "How to authenticate.", [401], required=True),
    header("Retry-After", "Seconds to wait before the next request.", [429, 503], required=True),
    header("Retry-After", "Seconds until the next attempt or poll.", [409]),
    header("Retry-After", "Seconds until the first poll.", [202], required=True),
    header("Location", "The URL to poll.", [202], required=True),
    header("Location", "The URL of what was created.", [201], required=True),
    header("Location", "The URL to poll, if the job is active.", [409]),
    header("Location", "The file, for ten minutes.", [302, 303], required=True),
]
LIMIT_HEADERS = [
    header("RateLimit", 'The remaining requests: `"name";r=requests;t=seconds`.', True),
    header("RateLimit-Policy", 'The limit: `"name";q=requests;w=seconds`.', True),
]
NEW_JOB_HEADERS = [
    header(
        "Idempotency-Key",
        "Unique text, such as a UUID. Repeated within 24 h, it returns the first job, or 422 if the"
        " request is different.",
        pattern="^[!-~]{1,255}$",
    ),
    header("Idempotency-Replayed", "`true` for an earlier job.", [200, 202]),
]
POLL_HEADERS = [
    header("If-None-Match", "The `ETag` of the last response."),
    header("Prefer", "`wait=20` waits up to 20 s (at most 30) for a change from `If-None-Match`."),
    header("ETag", "The version of the job, for `If-None-Match`.", [200, 304], required=True),
    header("Retry-After", "Seconds until the next poll.", [200, 304]),
]
LAST_EVENT = header("Last-Event-ID", "The `id` of the last event that you have. Browsers send it.")
WATCHED_JOBS = OpenApiParameter(
    "jobs",
    required=True,
    pattern=f"^{JOB_ID.pattern}(,{JOB_ID.pattern})*$",
    description=f"The ids of up to {MAX_WATCHED} jobs, separated by commas.",
)
SEARCH = OpenApiParameter(
    "search",
    type={"type": "string", "maxLength": 100},
    pattern=r"^[^\u0000]*$",
    description=f"At least 8 digits of a job id, or part of a name among your newest {SEARCHED:,}.",
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
FILE_REDIRECT = {302: "A redirect to the file store. Do not send your token."}
FILE_PROBLEMS = [
    "not_ready", "job_failed", "makes_no_file", "cancelled", "expired", "artifact_gone",
    "storage_unavailable",
]  # fmt: skip
TEXT = {"type": "string"}
EVENT = {
    "type": "object", "required": ["id", "data"],
    "properties": {"id": TEXT, "data": TEXT, "retry": {"type": "integer"}},
}  # fmt: skip
EVENTS = {
    (200, EVENT_STREAM): OpenApiResponse(EVENT, "One event for each change; `data` is the job."),
    204: "Finished, and you have the last event.",
}


def describes(
    operation_id: str,
    responses: Mapping[Any, Any],
    *,
    request: type | None = None,
    form: type | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    problems: Sequence[str] = (),
) -> Decorator:
    """Describe a handler. A response is a serializer, or a sentence if it has no body.

    `request` and `form` are the serializers of its JSON and its form. `problems` are the codes that
    schema.py does not derive.
    """
    requests = {"application/json": request, "multipart/form-data": form}
    describe = extend_schema(
        operation_id=operation_id,
        request={media_type: body for media_type, body in requests.items() if body} or None,
        responses={status: _response(status, body) for status, body in responses.items()},
        parameters=list(parameters),
    )

    def decorate(handler: Any) -> Any:
        handler.problems = problems
        return describe(handler)

    return decorate


def _response(status: Any, body: Any) -> OpenApiResponse:
    if isinstance(body, OpenApiResponse):
        return body
    if isinstance(body, str):
        return OpenApiResponse(description=body)
    sentence = "Accepted. Poll the job." if status == 202 else inspect.getdoc(body) or ""
    return OpenApiResponse(body, sentence.partition("\n")[0])


def describes_job_list(
    operation_id: str, serializer: type[JobSerializer], *filters: OpenApiParameter
) -> Decorator:
    responses = {200: OpenApiResponse(serializer(many=True), "A page of jobs.")}
    parameters = [SEARCH, STATUS, *filters, USER_ID]
    return describes(operation_id, responses, parameters=parameters, problems=["permission_denied"])


def describes_poll(operation_id: str, serializer: type[JobSerializer]) -> Decorator:
    return describes(operation_id, {200: serializer, 304: "The job has not changed."})
