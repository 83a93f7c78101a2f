"""Decorators that describe the handlers of the API in the OpenAPI document.

schema.py adds what similar handlers share. Nothing here runs for a request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from jobs.web.openapi.parameters import SEARCH, STATUS, USER_ID
from jobs.web.representation import EVENT_STREAM
from jobs.web.serializers import JobSerializer

Handler = Callable[..., Any]
Decorator = Callable[[Handler], Handler]

FILE_PROBLEMS = [
    "not_ready", "job_failed", "makes_no_file", "cancelled", "expired", "artifact_gone",
    "storage_unavailable",
]  # fmt: skip
EVENT = {
    "type": "object",
    "description": "A server-sent event. `data` is the job, as in a poll.",
    "properties": {
        "id": {"type": "string"}, "retry": {"type": "integer"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "data"],
}  # fmt: skip
EVENTS = {
    (200, EVENT_STREAM): OpenApiResponse(EVENT, "One event for each change."),
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

    def decorate(handler: Handler) -> Handler:
        handler.problems = problems  # type: ignore[attr-defined]
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


def describes_cancellation(operation_id: str, serializer: type[JobSerializer]) -> Decorator:
    return describes(operation_id, {200: serializer}, problems=["conflict"])


def describes_download(operation_id: str) -> Decorator:
    redirect = {302: "A redirect to the file store. Do not send your token."}
    return describes(operation_id, redirect, problems=FILE_PROBLEMS)
