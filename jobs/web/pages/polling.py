"""Jobs as the pages show them, and the polls that update them."""

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
from jobs.web.pages.previews import PreviewView, previews_of
from jobs.web.pages.rendering import render_page
from jobs.web.poll_responses import poll_after_seconds
from jobs.web.representation import represent_event_id

MIN_POLL_SECONDS = 3  # a list polls each of its rows
IDLE_POLL_SECONDS = 15  # of a job that waits for others, perhaps for hours
YOUNG = timedelta(minutes=1)  # of a young job: its owner may be watching


@dataclass(frozen=True)
class PolledJob:
    """A job as a page shows it now. `poll_seconds` is 0 if it is finished."""

    job: DownloadJob
    status_text: wording.StatusText
    ago: str
    poll_seconds: int

    @property
    def said(self) -> str:
        """The text for screen readers."""
        return f"{self.job.name}: {self.status_text.heading}"

    @property
    def event_id(self) -> str:
        """The id of the server-sent event with the same version of the job."""
        return represent_event_id(self.job)

    @property
    def tab_icon(self) -> str:
        """The icon of the browser's tab."""
        return "working" if self.poll_seconds else self.status_text.icon

    @property
    def picture(self) -> PreviewView | None:
        """The picture in the row. Makes a query, unless previews were prefetched."""
        return next((preview for preview in previews_of(self.job) if preview.shape), None)

    @property
    def mark(self) -> str:
        """A hash of what is shown, after the icon: 'working-1f0c52a9'. A poll sends it as `was`.

        It leaves out the countdown, which the page updates by itself.
        """
        shown = (replace(self.status_text, wait_seconds=0), self.job.version, self.poll_seconds)
        digest = blake2b(repr(shown).encode(), digest_size=4).hexdigest()
        return f"{self.status_text.icon}-{digest}"


def polled_job(job: DownloadJob, now: datetime) -> PolledJob:
    text = wording.job_status_text(job, now)
    return PolledJob(
        job, text, wording.ago_text(job.created_at, now), _poll_seconds(job, text, now)
    )


def _poll_seconds(job: DownloadJob, text: wording.StatusText, now: datetime) -> int:
    """Return the seconds between polls; 0 for a finished job."""
    if job.is_finished:
        return 0
    usual = max(MIN_POLL_SECONDS, poll_after_seconds(job))
    if text.icon == "held" and now - job.created_at > YOUNG:
        return IDLE_POLL_SECONDS
    return usual


def poll_fragment(
    request: HttpRequest, view: PolledJob, template: str, context: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """Render the fragment that replaces the one that polls; 204 if it has not changed."""
    was = request.GET.get("was", "")
    if was == view.mark:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    changed = was.partition("-")[0] != view.status_text.icon
    return render_page(request, template, context() | {"live": view, "changed": changed})
