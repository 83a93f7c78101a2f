"""Error responses: problem+json for programs (RFC 9457), an HTML page for people.

Has the exception handler of DRF, and what the middleware and error_handlers.py use. Needs neither
database nor session.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any

import structlog
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from rest_framework import exceptions, views
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from jobs.errors import (
    BlockedAddress,
    KeyReused,
    LimitReached,
    OwnerBusy,
    QueueFull,
    StaleJob,
    StorageUnavailable,
    StoreFull,
    TypeNotAllowed,
)
from jobs.lib.database import DATABASE_UNAVAILABLE
from jobs.lib.names import MISLEADING
from jobs.web.content_negotiation import prefers_html
from jobs.web.problem_counter import count_problem
from jobs.web.problems import MAX_ERRORS, PROBLEM, Problem
from jobs.web.request_ids import request_id

log = structlog.get_logger(__name__)

MAX_FIELD_CHARS, MAX_ERROR_CHARS, MAX_DETAIL_CHARS = 100, 200, 500
TITLES = {
    400: "Not understood",
    403: "Not allowed",
    404: "Not found",
    409: "One moment",
    413: "Too much at once",
    429: "Too many requests",
    500: "Something broke",
    503: "Not available right now",
}
TRY_AGAIN = "Try again soon."
RETRY_SOON = {"Retry-After": "5"}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the problem+json response for an exception; None for a bug.

    This is the EXCEPTION_HANDLER of DRF. It leaves bugs to error_handlers.py.
    """
    error = _as_problem(error)
    response = views.exception_handler(error, context)
    if response is None:
        return None
    for name, value in getattr(error, "headers", {}).items():
        response[name] = value
    detail, code, fields = _explain(error)
    count_problem(code)
    request = context["request"]
    response.data = error_response_body(
        request, response.status_code, code, detail, fields, title=getattr(error, "title", "")
    )
    if getattr(getattr(request, "accepted_renderer", None), "format", "") != "api":
        request.accepted_renderer = JSONRenderer()  # also of a view that renders YAML
        response.content_type = request.accepted_media_type = PROBLEM
    return response


def _as_problem(error: Exception) -> Exception:
    """Return the Problem for an error of ours or of the database; any other error unchanged."""
    if isinstance(error, StaleJob):
        return Problem(HTTPStatus.CONFLICT, "conflict", str(error))
    if isinstance(error, OwnerBusy):
        return Problem(HTTPStatus.CONFLICT, "still_open", str(error), {"Retry-After": "1"})
    if isinstance(error, KeyReused):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", str(error))
    if isinstance(error, BlockedAddress | TypeNotAllowed):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, str(error))
    if isinstance(error, LimitReached):
        headers = {"Retry-After": str(error.retry_after_seconds)}
        return Problem(error_status(error), error.code, str(error), headers)
    if isinstance(error, StorageUnavailable):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), RETRY_SOON)
    if isinstance(error, DATABASE_UNAVAILABLE):  # or every connection is in use
        log.warning("database", error=repr(error))
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", TRY_AGAIN, RETRY_SOON)
    return error


def error_status(error: LimitReached) -> HTTPStatus:
    """Return 503 for a limit of the whole service, 429 for a limit of one owner."""
    is_global = isinstance(error, QueueFull | StoreFull)
    return HTTPStatus.SERVICE_UNAVAILABLE if is_global else HTTPStatus.TOO_MANY_REQUESTS


def _explain(error: Exception) -> tuple[str, str, list[dict[str, str]]]:
    """Return the `detail`, the `code` and the `errors` of the problem."""
    if isinstance(error, exceptions.ValidationError):
        return "The request is not valid.", "invalid", _errors(error.get_full_details())
    if isinstance(error, exceptions.APIException):
        detail: Any = error.detail
        if isinstance(detail, dict):  # of simplejwt
            return str(detail.get("detail", "")), str(detail.get("code", "")), []
        return str(detail), str(error.get_codes()), []
    if isinstance(error, Http404):
        return str(error) or "There is nothing here.", "not_found", []
    return str(error) or "This is not allowed.", "permission_denied", []


def first_field_error(error: exceptions.ValidationError) -> str:
    """Return 'year: A valid integer is required.'"""
    first = next(_fields(error.get_full_details()))
    return ": ".join(filter(None, [first["field"], first["detail"]]))


def _errors(details: Any) -> list[dict[str, str]]:
    """Return the first errors, and one that says how many others there are."""
    remaining = _fields(details)
    errors = list(islice(remaining, MAX_ERRORS))
    if more := sum(1 for _ in remaining):
        errors.append({"field": "", "code": "more", "detail": f"{more:,} more errors."})
    return errors


def _fields(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Flatten the nested details of DRF into {field, code, detail}, one for each message."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        field = _sanitized(path, MAX_FIELD_CHARS)
        detail = _sanitized(str(details["message"]), MAX_ERROR_CHARS)
        yield {"field": field, "code": details["code"], "detail": detail}
    elif isinstance(details, dict):
        for name, inner in details.items():
            part = "" if name == "non_field_errors" else str(name)
            yield from _fields(inner, ".".join(filter(None, [path, part])))
    else:
        for inner in details:
            yield from _fields(inner, path)


def _sanitized(text: str, max_chars: int) -> str:
    """Cut a text that may be the client's, and replace its control characters."""
    clean = MISLEADING.sub("\ufffd", text[:max_chars])
    return clean if len(text) <= max_chars else f"{clean[:-1]}\u2026"


def error_response_body(
    request: Any,
    status: int,
    code: str,
    detail: str,
    fields: list[dict[str, str]] | None = None,
    *,
    title: str = "",
) -> dict[str, Any]:
    """Return the body of a problem. `error` repeats the title for older clients."""
    title = title or HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status}
    body |= {"detail": _sanitized(detail, MAX_DETAIL_CHARS), "code": code}
    body |= {"requestId": request_id(request), "error": title}
    return body | ({"errors": fields} if fields else {})


def api_error_response(request: HttpRequest, status: int, code: str, detail: str) -> JsonResponse:
    """Return a problem for a request that no DRF view answers."""
    count_problem(code)
    body = error_response_body(request, status, code, detail)
    return JsonResponse(body, status=status, content_type=PROBLEM)


def error_response(
    request: HttpRequest, status: int, code: str, detail: str, *, back: str = ""
) -> HttpResponse:
    """Return an error page for a browser, else a problem.

    `back` is the URL that the page links to; the list of downloads if empty.
    """
    if request.path.startswith("/v1/") or not prefers_html(request):
        return api_error_response(request, status, code, detail)
    count_problem(code)
    context = {
        "title": TITLES.get(status, HTTPStatus(status).phrase),
        "detail": detail,
        "request_id": request_id(request),
        "back": back,
    }
    body = render_to_string("error.html", context)
    return HttpResponse(body, status=status)


def known_error_response(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Return the response for an error of ours or of the database; None for a bug."""
    problem = _as_problem(error)
    if not isinstance(problem, Problem):
        return None
    code, detail = str(problem.get_codes()), str(problem.detail)
    response = error_response(request, problem.status_code, code, detail)
    for name, value in problem.headers.items():
        response[name] = value
    return response
