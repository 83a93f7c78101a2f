"""Jobs as somebody watches them: how often a page asks for one again, and what it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from jobs.models import DownloadJob
from jobs.web import wording
from jobs.web.api_responses import poll_after_seconds
from jobs.web.pages.previews import Made, made_of
from jobs.web.pages.shared import page
from jobs.web.representation import event_id

MIN_POLL_SECONDS = 3  # nobody's eyes need more, and a list polls each of its rows
LEISURE_SECONDS = 15  # between polls of what may wait for hours
YOUNG = timedelta(minutes=1)  # whoever has just asked for it may still look on


@dataclass(frozen=True)
class Live:
    """A job at one moment. `poll_seconds` is 0 once nothing will change by itself."""

    job: DownloadJob
    status_text: wording.StatusText
    ago: str
    poll_seconds: int

    @property
    def said(self) -> str:
        return f"{self.job.name}: {self.status_text.heading}"

    @property
    def event_id(self) -> str:
        """Of the server-sent event that says as much."""
        return event_id(self.job)

    @property
    def icon(self) -> str:
        """Of the browser's tab."""
        return "working" if self.poll_seconds else self.status_text.look

    @property
    def picture(self) -> Made | None:
        """The one that stands for it; a query, unless they were read ahead."""
        return next((made for made in made_of(self.job) if made.shape), None)

    @property
    def mark(self) -> str:
        """Tells one sight of a job from the next: 'working-1f0c52a9'.

        A countdown is left out of it: the page goes on with that by itself.
        """
        text = replace(self.status_text, wait_seconds=0)
        seen = repr((text, self.job.version, self.poll_seconds)).encode()
        return f"{text.look}-{blake2b(seen, digest_size=4).hexdigest()}"


def watched(job: DownloadJob, now: datetime) -> Live:
    told = wording.describe(job, now)
    return Live(job, told, wording.ago(job.created_at, now), _poll_seconds(job, told, now))


def _poll_seconds(job: DownloadJob, told: wording.StatusText, now: datetime) -> int:
    if job.is_finished:
        return 0
    usual = max(MIN_POLL_SECONDS, poll_after_seconds(job))
    if told.look == "held" and now - job.created_at > YOUNG:
        return LEISURE_SECONDS
    ahead = (told.starts_at - now).total_seconds() if told.starts_at else 0
    return max(usual, min(LEISURE_SECONDS, round(ahead)))


def answer(
    request: HttpRequest, live: Live, template: str, context: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """What takes the place of the fragment that polls; 204 where it would look the same."""
    was = request.GET.get("was", "")
    if was == live.mark:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    changed = was.partition("-")[0] != live.status_text.look
    return page(request, template, context() | {"live": live, "changed": changed})
