"""One download: how it stands, what happened, what is in it; cancel it, or run it again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from jobs import wording
from jobs.errors import SourceMissing, StaleJob
from jobs.http import own_job
from jobs.kinds import sources_of
from jobs.models import DownloadJob, StoredFile
from jobs.pages.live import Live, answer, watched
from jobs.pages.shared import SeeOther, page, signed_in
from jobs.states import Actor
from jobs.submission import resubmit

LISTED = 20  # files of a zip
TOLD = 100  # events of a history, the latest; a job may be run again without end
MAX_CHOSEN_AGAIN = 300  # as many numbers as an address can be sure to carry
AS_ME = '-H "Authorization: Bearer $TOKEN"'
NUMBERS = re.compile(r"\d+")
MAX_TYPED = 100  # numbers in a command that somebody copies


@require_safe
@signed_in
def job_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    now = timezone.now()
    live = watched(own_job(request, job_id), now)
    still = {"here": "mine", "live": live, "contents": _contents(live.job)}
    still["asked_for"] = wording.asked_for(live.job)
    still["commands"] = _commands(request, live.job)
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
        messages.warning(request, "Nothing was changed: it had moved on by then.")
    return SeeOther(reverse("job-page", args=[job.pk]))


def _card(live: Live, now: datetime) -> dict[str, Any]:
    """What changes while one looks on."""
    job = live.job
    latest = job.events.defer("detail").order_by("-id")[:TOLD]
    return {
        "asked_at": wording.moment(job.created_at, now),
        "details": wording.details(job, now),
        "history": wording.history(job, reversed(latest), now),
        "choose_again": _choose_again(job),
        "size": wording.size_of(job.artifact.size_bytes) if job.artifact else "",
    }


def _choose_again(job: DownloadJob) -> str:
    """For a zip that failed over missing files: where the others are ticked already."""
    # A poll reads the params, which may be long, only if it has to.
    if job.error_code != SourceMissing.code or len(job.params["file_ids"]) > MAX_CHOSEN_AGAIN:
        return ""
    there = sources_of(job.kind, job.params, job.owner).values_list("file_id", flat=True)
    told = set(NUMBERS.findall(job.error))  # its row may be there, and its bytes gone
    others = [file_id for file_id in there if str(file_id) not in told]
    return reverse("choose") + "?" + urlencode({"file": others}, doseq=True)


def _contents(job: DownloadJob) -> dict[str, Any]:
    """The first files of the zip with their sizes, and how many more there are."""
    wanted = job.params["file_ids"]
    first = wanted[:LISTED]
    there = {file.file_id: file for file in sources_of(job.kind, {"file_ids": first}, job.owner)}
    listed = [_listed(file_id, there.get(file_id)) for file_id in first]
    return {
        "title": wording.files(len(wanted)),
        "files": listed,
        "more": len(wanted) - len(listed),
    }


def _commands(request: HttpRequest, job: DownloadJob) -> dict[str, str]:
    """What a terminal would do: fetch this file, and ask for the same again."""
    fetch = request.build_absolute_uri(reverse("download", args=[job.pk]))
    found = {"Fetch the file": f"curl -fLOJ {fetch} \\\n  {AS_ME}"}
    if len(job.params["file_ids"]) <= MAX_TYPED:
        ask = request.build_absolute_uri(reverse("initiate"))
        body = shlex.quote(json.dumps({**job.params, "name": job.name}, ensure_ascii=False))
        found["Ask for the same"] = f"curl -f {ask} \\\n  {AS_ME} \\\n  --json {body}"
    return found


def _listed(file_id: int, file: StoredFile | None) -> tuple[str, str]:
    return (file.name, wording.size_of(file.size_bytes)) if file else (str(file_id), "not found")
