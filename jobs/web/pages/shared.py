"""The page behind a share link, for whoever has it. Works without account, cookies and scripts.

Its forms have no CSRF token: the link is the permission, not a session. Browsers would refuse one,
too, since a page without a referrer sends `Origin: null`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from jobs.models import ShareLink, StoredFile
from jobs.web import wording
from jobs.web.problem_counter import count_problem
from jobs.web.problems import Problem
from jobs.web.shared_links import (
    PRIVATE_HEADERS,
    download_shared,
    file_ends_at,
    grant_by_password,
    has_grant,
    shared_link,
    shared_owner_name,
)
from jobs.web.throttle import throttle_request

TITLES = {
    "link_revoked": "This link was revoked",
    "link_used_up": "This link is used up",
    "link_expired": "This link has expired",
    "link_deleted": "The file was deleted",
    "artifact_gone": "The file is gone",
    "not_found": "This link doesn't work",
}


@require_http_methods(["GET", "HEAD", "POST"])
def shared_page(request: HttpRequest, token: str) -> HttpResponse:
    """Say what the link gives. A POST opens a link with a password. Neither is a download."""
    throttle_request(request, "page")
    try:
        link, file = shared_link(token)
        if request.method != "POST":
            return _page(request, link, file, token)
        grant = grant_by_password(request, link, request.POST.get("password", ""))
    except (Http404, Problem) as error:
        return _refused(request, error, token)
    return _page(request, link, file, token, grant=grant)


@require_http_methods(["GET", "HEAD", "POST"])
def shared_download_page(request: HttpRequest, token: str) -> HttpResponseBase:
    """Redirect to the file, and count one download. HEAD counts none."""
    throttle_request(request, "page")
    try:
        link, file = shared_link(token)
        if request.method == "HEAD" or not has_grant(link, request.POST.get("grant", "")):
            return _page(request, link, file, token)
        response = download_shared(link, file)
    except (Http404, Problem) as error:
        return _refused(request, error, token)
    response.status_code = HTTPStatus.SEE_OTHER
    return response


def _page(
    request: HttpRequest,
    link: ShareLink,
    file: StoredFile,
    token: str,
    *,
    grant: str = "",
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    ends_at = file_ends_at(link, file)
    context = {
        "token": token,
        "owner_name": shared_owner_name(link),
        "is_own": link.owner_id == request.user.pk,
        "link": link,
        "file": file if has_grant(link, grant) else None,
        "grant": grant,
        "size": wording.file_size_text(file.size_bytes),
        "ends_at": ends_at,
        "ends": wording.moment_text(ends_at, timezone.now()) if ends_at else "",
        "error": error,
    }
    return _render(request, "jobs/shared.html", context, status)


def _refused(request: HttpRequest, error: Http404 | Problem, token: str) -> HttpResponse:
    """Say that the link has ended, or show the form again after a wrong password."""
    if isinstance(error, Http404):
        return _ended(request, 404, "not_found", str(error))
    code, detail = str(error.get_codes()), str(error.detail)
    if code in TITLES:
        return _ended(request, error.status_code, code, detail)
    if error.status_code in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        link, file = shared_link(token)
        count_problem(code)
        response = _page(request, link, file, token, error=detail, status=error.status_code)
        for name, value in error.headers.items():
            response[name] = value
        return response
    raise error


def _ended(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    count_problem(code)
    context: dict[str, Any] = {"title": TITLES[code], "detail": detail}
    return _render(request, "jobs/shared_ended.html", context, status)


def _render(
    request: HttpRequest, template: str, context: dict[str, Any], status: int
) -> HttpResponse:
    response = render(request, template, context, status=status)
    for name, value in PRIVATE_HEADERS.items():
        response[name] = value
    return response
