"""What the API and the pages share: the caller, a job of theirs, 202, and problems (RFC 9457)."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from itertools import islice
from typing import Any, cast
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import parse_etags
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from jobs import storage
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
from jobs.lib.database import DATABASE_AWAY, release_connection
from jobs.lib.names import MISLEADING
from jobs.models import DownloadJob, JobRow, StoredFile
from jobs.states import Status
from jobs.web.content_negotiation import reads_pages
from jobs.web.problems import PROBLEM, Problem

log = structlog.get_logger(__name__)

KEY = re.compile(r"[!-~]{1,255}")
MAX_ERRORS = 20  # in one answer
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
SOON = {"Retry-After": "5"}
FIRST_POLLS_SECONDS = 10  # while a job is this young, a small bundle may be ready any second
ETAG_SECONDS = 300  # half a presigned address's life: a 304 never keeps a dead one alive


def caller(request: Request | HttpRequest) -> User:
    """Whoever is asking; the permission class or login_required saw to it that it is somebody."""
    return cast(User, request.user)


def asking(request: Request | HttpRequest) -> dict[str, Any]:
    """What a serializer of requests has to know of whoever asks: its context."""
    return {"owner": caller(request)}


def request_id(request: Request | HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))


def idempotency_key(request: Request) -> str:
    """What makes a request that is sent twice count once; empty where the caller has none."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        raise exceptions.ValidationError(
            {"Idempotency-Key": ["1 to 255 visible characters of ASCII."]}
        )
    return key or ""


def own_job(request: Request | HttpRequest, job_id: UUID) -> DownloadJob:
    """The caller's job, without its params. 404 when there is none, 403 when it is another's."""
    jobs = DownloadJob.objects.select_related("owner", "artifact").defer("params")
    job = jobs.filter(pk=job_id).first()
    if job is None or (settings.HIDE_FOREIGN_JOBS and job.owner_id != caller(request).pk):
        raise Http404("There is no such download.")
    if job.owner_id != caller(request).pk:
        raise PermissionDenied("This is somebody else's download.")
    return job


def status_url(job: DownloadJob) -> str:
    return reverse("status", args=[job.pk])


def accepted(job: DownloadJob, body: Any, *, is_new: bool = True) -> Response:
    """202: where to poll, and when to begin."""
    headers = {"Location": status_url(job), "Retry-After": "3"}
    if not is_new:
        headers["Idempotency-Replayed"] = "true"
    return Response(body, status=HTTPStatus.ACCEPTED, headers=headers)


def poll_after_seconds(job: DownloadJob | JobRow) -> int:
    """How long to leave an active job alone: short at first, up to 5 s."""
    age = time.time() - job.created_at.timestamp()
    return 1 if age < FIRST_POLLS_SECONDS else 3 if age < 60 else 5


def etag(job: DownloadJob | JobRow) -> str:
    job_id = str(job.pk).replace("-", "")
    return f'"{job_id}-{job.version}-{int(time.time() // ETAG_SECONDS)}"'


def poll_headers(job: DownloadJob | JobRow) -> dict[str, str]:
    headers = {"ETag": etag(job)}
    if not job.is_finished:
        headers["Retry-After"] = str(poll_after_seconds(job))
    return headers


def has_seen(if_none_match: str, tag: str) -> bool:
    """Whether the client's If-None-Match names this version of the job."""
    if not if_none_match:
        return False
    seen = parse_etags(if_none_match)
    return "*" in seen or tag in [each.removeprefix("W/") for each in seen]


def told(job: DownloadJob, request: Request, body: Callable[[], Any]) -> Response:
    """The answer to a poll: 304 when the caller has seen this version, else `body()`."""
    headers = poll_headers(job)
    if has_seen(request.headers.get("If-None-Match", ""), headers["ETag"]):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body(), headers=headers)


def result_of(job: DownloadJob) -> StoredFile:
    """The finished file, which is in the bucket; raises the Problem if there is none to have."""
    if not job.is_finished:
        later = {"Location": status_url(job), "Retry-After": str(poll_after_seconds(job))}
        raise Problem(HTTPStatus.CONFLICT, "not_ready", "The file is not ready yet.", later)
    if job.status == Status.FAILED:
        raise Problem(HTTPStatus.CONFLICT, "job_failed", job.error)
    if job.artifact is None:
        raise Problem(HTTPStatus.GONE, job.status, f"The download is {job.status}.")
    release_connection()  # the store may be slow
    if not storage.exists(job.artifact.key, job.artifact.size_bytes):
        raise Problem(HTTPStatus.GONE, "artifact_gone", "The file is gone.")
    return job.artifact


def redirect_to_result(job: DownloadJob, method: str) -> HttpResponseRedirect:
    return redirect_to(result_of(job), method)


def redirect_to(file: StoredFile, method: str) -> HttpResponseRedirect:
    """302 to an address that works for GET, or for HEAD where that was asked."""
    signed_for = "HEAD" if method == "HEAD" else "GET"
    url = storage.presigned_url(
        file.key, name=file.name, content_type=file.content_type, method=signed_for
    )
    # The store's log has no business with the page that somebody came from.
    return HttpResponseRedirect(url, headers={"Referrer-Policy": "no-referrer"})


def problem_for(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every error leaves as problem+json; a bug is left to `on_500`."""
    error = _as_problem(error)
    response = exception_handler(error, context)
    if response is None:
        return None
    for name, value in getattr(error, "headers", {}).items():
        response[name] = value
    detail, code, fields = _explain(error)
    request = context["request"]
    response.data = problem(
        request, response.status_code, code, detail, fields, title=getattr(error, "title", "")
    )
    if getattr(getattr(request, "accepted_renderer", None), "format", "") != "api":
        request.accepted_renderer = JSONRenderer()  # also where the view speaks YAML
        response.content_type = request.accepted_media_type = PROBLEM
    return response


def _as_problem(error: Exception) -> Exception:
    """Our own errors, and the database's, as answers; any other as it is."""
    if isinstance(error, StaleJob):
        return Problem(HTTPStatus.CONFLICT, "conflict", str(error))
    if isinstance(error, OwnerBusy):
        return Problem(HTTPStatus.CONFLICT, "still_open", str(error), {"Retry-After": "1"})
    if isinstance(error, KeyReused):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", str(error))
    if isinstance(error, BlockedAddress | TypeNotAllowed):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, str(error))
    if isinstance(error, LimitReached):
        later = {"Retry-After": str(error.retry_after_seconds)}
        return Problem(status_of(error), error.code, str(error), later)
    if isinstance(error, StorageUnavailable):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), SOON)
    if isinstance(error, DATABASE_AWAY):  # or every connection is in use
        log.warning("database", error=repr(error))
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", TRY_AGAIN, SOON)
    return error


def status_of(error: LimitReached) -> HTTPStatus:
    """503 where everybody together asked for too much, 429 where it was the caller."""
    everybodys = isinstance(error, QueueFull | StoreFull)
    return HTTPStatus.SERVICE_UNAVAILABLE if everybodys else HTTPStatus.TOO_MANY_REQUESTS


def _explain(error: Exception) -> tuple[str, str, list[dict[str, str]]]:
    if isinstance(error, exceptions.ValidationError):
        return "The request is not valid.", "invalid", _errors(error.get_full_details())
    if isinstance(error, exceptions.APIException):
        told: Any = error.detail
        if isinstance(told, dict):  # simplejwt's
            return str(told.get("detail", "")), str(told.get("code", "")), []
        return str(told), str(error.get_codes()), []
    if isinstance(error, Http404):
        return str(error) or "There is nothing here.", "not_found", []
    return str(error) or "This is not allowed.", "permission_denied", []


def _errors(details: Any) -> list[dict[str, str]]:
    """The first ones, and how many there are beside them."""
    found = _fields(details)
    told = list(islice(found, MAX_ERRORS))
    if more := sum(1 for _ in found):
        told.append({"field": "", "code": "more", "detail": f"{more:,} more errors."})
    return told


def _fields(details: Any, path: str = "") -> Any:
    """Flatten DRF's nested details into {field, code, detail}, one for each message."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        detail = _shown(str(details["message"]), MAX_ERROR_CHARS)
        yield {"field": _shown(path, MAX_FIELD_CHARS), "code": details["code"], "detail": detail}
    elif isinstance(details, dict):
        for name, inner in details.items():
            part = "" if name == "non_field_errors" else str(name)
            yield from _fields(inner, ".".join(filter(None, [path, part])))
    else:
        for inner in details:
            yield from _fields(inner, path)


def _shown(text: str, most: int) -> str:
    """What may have come from a client: cut, and without what a terminal or a page obeys."""
    seen = MISLEADING.sub("\ufffd", text[:most])
    return seen if len(text) <= most else f"{seen[:-1]}\u2026"


def problem(
    request: Any,
    status: int,
    code: str,
    detail: str,
    fields: list[dict[str, str]] | None = None,
    *,
    title: str = "",
) -> dict[str, Any]:
    """The body of a problem. `error` repeats the title for clients that only look there."""
    title = title or HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status}
    body |= {"detail": _shown(detail, MAX_DETAIL_CHARS), "code": code}
    body |= {"requestId": request_id(request), "error": title}
    return body | ({"errors": fields} if fields else {})


def problem_response(request: HttpRequest, status: int, code: str, detail: str) -> JsonResponse:
    """The same for what never reaches DRF: unknown paths, bugs, a refused form token."""
    return JsonResponse(problem(request, status, code, detail), status=status, content_type=PROBLEM)


def for_reader(
    request: HttpRequest, status: int, code: str, detail: str, *, back: str = ""
) -> HttpResponse:
    """A page for a person, a problem for a program. Needs neither database nor session.

    `back` is where the person goes on; the list of downloads if nothing is said.
    """
    if request.path.startswith("/v1/") or not reads_pages(request):
        return problem_response(request, status, code, detail)
    context = {
        "title": TITLES.get(status, HTTPStatus(status).phrase),
        "detail": detail,
        "request_id": request_id(request),
        "back": back,
    }
    body = render_to_string("error.html", context)
    return HttpResponse(body, status=status)


@csrf_exempt  # a program has no form token, and there is nothing to protect
def nowhere(request: HttpRequest, rest: str) -> HttpResponseBase:
    """For an address that belongs to the API and has nothing there."""
    raise Http404


def on_404(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return for_reader(request, 404, "not_found", "There is nothing at this address.")


def on_400(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if isinstance(exception, RequestDataTooBig):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return for_reader(request, 413, "too_large", f"A form has at most {most:,} bytes.")
    return for_reader(request, 400, "invalid", "The request is not valid.")


def on_403(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return for_reader(request, 403, "permission_denied", "This is not allowed.")


def on_500(request: HttpRequest) -> HttpResponseBase:
    """Also where a middleware or a session met what is no bug: then as the API says it."""
    error = sys.exception()
    told = page_problem(request, error) if isinstance(error, Exception) else None
    return told or for_reader(request, 500, "internal", "Something went wrong on our side.")


def page_problem(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """The answer where a page met one of our own errors, or the database's; None for a bug."""
    problem = _as_problem(error)
    if not isinstance(problem, Problem):
        return None
    code, detail = str(problem.get_codes()), str(problem.detail)
    response = for_reader(request, problem.status_code, code, detail)
    for name, value in problem.headers.items():
        response[name] = value
    return response
