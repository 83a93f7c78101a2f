"""What others see at the address of a download: another account's, or for staff the admin."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from jobs.models import DownloadJob
from jobs.models.permissions import can_view_all_jobs
from jobs.web.authentication import authenticated_user
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.problem_counter import count_problem

View = Callable[[HttpRequest, UUID], HttpResponse]

TITLE = "This belongs to another account"
DETAIL = "You're signed in as {name}, and this download is not yours."
# The same for an unknown download, so that nobody learns which ones exist.
MAYBE = "There is no such download, or it belongs to another account"
MAYBE_DETAIL = "You're signed in as {name}."


def offers_other_account(view: View) -> View:
    """Send staff to the admin's page of another user's job; offer others another account."""

    @wraps(view)
    def inner(request: HttpRequest, job_id: UUID) -> HttpResponse:
        try:
            return view(request, job_id)
        except (PermissionDenied, Http404) as error:
            if url := _admin_url(request, job_id):
                return SeeOther(url)
            if isinstance(error, PermissionDenied):
                return _page(request, HTTPStatus.FORBIDDEN, TITLE, DETAIL)
            if not settings.HIDE_FOREIGN_JOBS:
                raise
            return _page(request, HTTPStatus.NOT_FOUND, MAYBE, MAYBE_DETAIL)

    return inner


def _admin_url(request: HttpRequest, job_id: UUID) -> str:
    """Return the admin's page of the job for staff who may see it, or an empty string."""
    user = authenticated_user(request)
    if not can_view_all_jobs(user):
        return ""
    if not DownloadJob.objects.filter(pk=job_id).exclude(owner=user).exists():
        return ""
    try:
        return reverse("admin:jobs_downloadjob_change", args=[job_id])
    except NoReverseMatch:  # a project without the admin
        return ""


def _page(request: HttpRequest, status: HTTPStatus, title: str, detail: str) -> HttpResponse:
    count_problem("permission_denied" if status == HTTPStatus.FORBIDDEN else "not_found")
    sign_in = f"{reverse('sign-in')}?{urlencode({'next': request.path})}"
    context = {
        "title": title,
        "detail": detail.format(name=authenticated_user(request).get_username()),
        "sign_in": sign_in,
    }
    return render_page(request, "jobs/other_account.html", context, status)
