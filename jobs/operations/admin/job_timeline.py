"""The timeline of a job on its admin page: who did what and when, and each attempt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from jobs.lib.tracing.trace_ids import trace_url
from jobs.models import DownloadJob, JobEvent
from jobs.operations.overview.texts import seconds_text
from jobs.states import Actor, Event

MAX_EVENTS = 500  # the newest; a job can be retried without limit
ENDED_BY = {
    Event.SUCCEED, Event.RETRY, Event.FAIL, Event.HAND_BACK, Event.RESCUE, Event.CANCEL
}  # fmt: skip


@dataclass(frozen=True)
class TimelineLine:
    """One event, or one action of an operator."""

    at: datetime
    text: str
    by: str
    code: str = ""
    detail: str = ""

    @property
    def summary(self) -> str:
        """The last line of the detail, which says most of a traceback."""
        return self.detail.strip().splitlines()[-1] if self.detail.strip() else ""

    @property
    def is_folded(self) -> bool:
        return "\n" in self.detail.strip()


@dataclass
class AttemptLine:
    """One attempt. Without an end, it is running."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = "in progress"
    code: str = ""
    trace_url: str = ""

    @property
    def ran_text(self) -> str:
        if not self.ended_at:
            return ""
        return seconds_text((self.ended_at - self.started_at) / timedelta(seconds=1))


@dataclass(frozen=True)
class Timeline:
    lines: list[TimelineLine]
    attempts: list[AttemptLine]
    is_cut: bool  # its beginning is left out


def read_timeline(job: DownloadJob) -> Timeline:
    events = list(job.events.order_by("-id")[: MAX_EVENTS + 1])[::-1]
    is_cut = len(events) > MAX_EVENTS
    events = events[-MAX_EVENTS:]
    lines = [
        TimelineLine(event.at, str(event), by, event.code, detail)
        for event in events
        for by, detail in [_by_and_detail(event)]
    ]
    lines = sorted([*lines, *_of_operators(job)], key=attrgetter("at"))
    return Timeline(lines, _attempts(job, events), is_cut)


def _by_and_detail(event: JobEvent) -> tuple[str, str]:
    """Return who caused the event, and the rest. An operator's name is stored as the detail."""
    if event.by == Actor.OPERATOR and event.detail:
        return event.detail, ""
    return event.get_by_display(), event.detail


def _of_operators(job: DownloadJob) -> list[TimelineLine]:
    """Return what the admin logged about this job."""
    type_id = ContentType.objects.get_for_model(job).pk
    entries = LogEntry.objects.filter(content_type=type_id, object_id=str(job.pk))
    newest = entries.select_related("user").order_by("-action_time")[:MAX_EVENTS]
    return [
        TimelineLine(entry.action_time, entry.get_change_message(), entry.user.get_username())
        for entry in newest
    ]


def _attempts(job: DownloadJob, events: Iterable[JobEvent]) -> list[AttemptLine]:
    attempts: dict[int, AttemptLine] = {}
    for event in events:
        if event.event == Event.CLAIM:
            url = trace_url(settings.TRACE_URL, job.pk, event.attempt)
            attempts[event.attempt] = AttemptLine(
                event.attempt, event.detail, event.at, trace_url=url
            )
        attempt = attempts.get(event.attempt)
        if attempt and not attempt.ended_at and event.event in ENDED_BY:
            attempt.ended_at, attempt.code = event.at, event.code
            attempt.outcome = event.get_event_display()
    return list(attempts.values())
