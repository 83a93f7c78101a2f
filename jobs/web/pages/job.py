"""The page of one download: status, history and contents; cancel or retry it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from jobs.engine.submission import resubmit_job
from jobs.errors import StaleJob
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Actor, Status
from jobs.web import wording
from jobs.web.own_job import own_job
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.deliveries import job_deliveries
from jobs.web.pages.dependencies import job_dependencies
from jobs.web.pages.media import media_of_job
from jobs.web.pages.other_account import offers_other_account
from jobs.web.pages.polling import PolledJob, poll_fragment, polled_job
from jobs.web.pages.previews import largest_picture, previews_of
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.pages.share import share_context

MAX_EVENTS = 100  # of the history, the latest; a job can be retried without limit
AUTHORIZATION = '-H "Authorization: Bearer $TOKEN"'


@require_safe
@sign_in_required
@offers_other_account
def job_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    now = timezone.now()
    view = polled_job(own_job(request, job_id), now)
    job = view.job
    context = {
        "here": "mine",
        "live": view,
        "summary": KINDS[job.kind].summary(job),
        "contents": KINDS[job.kind].contents(job),
        "commands": _commands(request, job),
    }
    return render_page(request, "jobs/job.html", context | _card(request, view, now))


@require_safe
@sign_in_required
def job_page_state(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Render the status card with history and details, to replace the old; 204 if unchanged."""
    now = timezone.now()
    view = polled_job(own_job(request, job_id), now)
    return poll_fragment(
        request, view, "jobs/_state_polled.html", lambda: _card(request, view, now)
    )


@require_POST
@sign_in_required
def cancel_from_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    return _change(request, job_id, lambda job: job.cancel(Actor.OWNER))


@require_POST
@sign_in_required
def retry_from_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    return _change(request, job_id, lambda job: resubmit_job(job, Actor.OWNER))


def _change(
    request: HttpRequest, job_id: UUID, change: Callable[[DownloadJob], None]
) -> HttpResponse:
    """Change the job, then redirect to its page, with a message if the change came too late."""
    job = own_job(request, job_id)
    try:
        change(job)
    except StaleJob:
        messages.warning(request, "Nothing was changed: the download is no longer in that state.")
    return SeeOther(reverse("job-page", args=[job.pk]))


def _card(request: HttpRequest, view: PolledJob, now: datetime) -> dict[str, Any]:
    """Return the context of what polls update."""
    job = view.job
    latest = job.events.defer("detail").order_by("-id")[:MAX_EVENTS]
    shared = share_context(request, job, now)
    previews = previews_of(job)
    picture = largest_picture(previews)
    poster = picture.address if picture else ""
    media = media_of_job(job, reverse("download", args=[job.pk]), poster=poster)
    return shared | {
        "created": wording.moment_text(job.created_at, now),
        "details": wording.history_details(job, now),
        "history": wording.history_entries(job, reversed(latest), now, shared["share_lines"]),
        "kind": KINDS[job.kind],
        "media": media,
        "picture": None if media else picture,
        "previews": previews,
        "dependencies": job_dependencies(job, now),
        "deliveries": job_deliveries(job, now),
        "left_out": KINDS[job.kind].notes(job),
        "remedy": KINDS[job.kind].remedy(job),
        "size": wording.file_size_text(job.artifact.size_bytes) if job.artifact else "",
    }


def _commands(request: HttpRequest, job: DownloadJob) -> dict[str, str]:
    """Return the curl commands that fetch the file, if there is one, and that start the same job
    again."""
    kind, commands = KINDS[job.kind], {}
    if job.status == Status.COMPLETED and job.artifact:
        fetch = request.build_absolute_uri(reverse("download", args=[job.pk]))
        commands["Download the file"] = f"curl -fLOJ {fetch} \\\n  {AUTHORIZATION}"
    if kind.request_url_name and (arguments := kind.curl_arguments(job)):
        url = request.build_absolute_uri(reverse(kind.request_url_name))
        commands["Repeat the request"] = f"curl -f {url} \\\n  {AUTHORIZATION} \\\n  {arguments}"
    return commands
