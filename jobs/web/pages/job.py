"""One download: how it stands, what happened, what is in it; cancel it, or run it again."""

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

from jobs.engine.submission import resubmit
from jobs.errors import StaleJob
from jobs.models import DownloadJob
from jobs.states import Actor
from jobs.web import wording
from jobs.web.api_responses import own_job
from jobs.web.pages import kinds
from jobs.web.pages.dependencies import others_of
from jobs.web.pages.polling import Live, answer, watched
from jobs.web.pages.previews import made_of
from jobs.web.pages.shared import SeeOther, page, signed_in

TOLD = 100  # events of a history, the latest; a job may be run again without end
AS_ME = '-H "Authorization: Bearer $TOKEN"'


@require_safe
@signed_in
def job_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    now = timezone.now()
    live = watched(own_job(request, job_id), now)
    job = live.job
    still = {
        "here": "mine",
        "live": live,
        "summary": wording.KINDS[job.kind].summary(job),
        "contents": kinds.KINDS[job.kind].contents(job),
        "commands": _commands(request, job),
    }
    return page(request, "jobs/job.html", still | _card(live, now))


@require_safe
@signed_in
def state(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The card to put in the place of the old one; history and details come along."""
    now = timezone.now()
    live = watched(own_job(request, job_id), now)
    return answer(request, live, "jobs/_state_polled.html", lambda: _card(live, now))


@require_POST
@signed_in
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    return _do(request, job_id, lambda job: job.cancel(Actor.OWNER))


@require_POST
@signed_in
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    return _do(request, job_id, lambda job: resubmit(job, Actor.OWNER))


def _do(request: HttpRequest, job_id: UUID, verb: Callable[[DownloadJob], None]) -> HttpResponse:
    """Apply the verb, then show the job; that it came too late is a message there."""
    job = own_job(request, job_id)
    try:
        verb(job)
    except StaleJob:
        messages.warning(request, "Nothing was changed: the download is no longer in that state.")
    return SeeOther(reverse("job-page", args=[job.pk]))


def _card(live: Live, now: datetime) -> dict[str, Any]:
    """What changes while one looks on."""
    job = live.job
    latest = job.events.defer("detail").order_by("-id")[:TOLD]
    return {
        "created": wording.moment(job.created_at, now),
        "details": wording.details(job, now),
        "history": wording.history(job, reversed(latest), now),
        "previews": made_of(job),
        "dependencies": others_of(job, now),
        "left_out": wording.KINDS[job.kind].notes(job),
        "remedy": kinds.KINDS[job.kind].remedy(job),
        "size": wording.size_of(job.artifact.size_bytes) if job.artifact else "",
    }


def _commands(request: HttpRequest, job: DownloadJob) -> dict[str, str]:
    """What a terminal would do: fetch this file, and ask for the same again."""
    fetch = request.build_absolute_uri(reverse("download", args=[job.pk]))
    found = {"Download the file": f"curl -fLOJ {fetch} \\\n  {AS_ME}"}
    if again := kinds.command(job, request.build_absolute_uri, AS_ME):
        found["Repeat the request"] = again
    return found
