"""The history of jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.states import Actor, Event

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob

HAS_TRACE = ~Q(code="") & ~Q(detail="")
MAX_DETAIL_CHARS = 8_000  # of a traceback, whose end is kept: it says most


class EventQuerySet(models.QuerySet["JobEvent"]):
    def with_old_trace(self, kept: timedelta) -> Self:
        """Return the events of failed attempts with a traceback that is older than `kept`."""
        return self.filter(HAS_TRACE, at__lt=Now() - kept).order_by("at")

    def record(
        self, job: DownloadJob, event: Event, by: Actor, *, code: str = "", detail: str = ""
    ) -> JobEvent:
        """Add a line to the job's history."""
        return self.create(
            job=job,
            event=event,
            by=by,
            attempt=job.attempt,
            code=code,
            detail=storable_event_text(detail),
        )


def storable_event_text(detail: str) -> str:
    """Return the end of the text, without what Postgres refuses: NULs and lone surrogates."""
    clean = detail.replace("\0", "").encode(errors="replace").decode()
    return clean[-MAX_DETAIL_CHARS:]


class JobEvent(models.Model):
    """One line of a job's history, written in the statement that changes the job."""

    job = models.ForeignKey("DownloadJob", models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now())
    event = models.CharField(max_length=12, choices=Event.choices)
    by = models.CharField(max_length=12, choices=Actor.choices)
    attempt = models.PositiveIntegerField()
    code = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)  # for operators: a worker's name, a traceback

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            # Small, and cheap to write: lines are in the order of their time.
            BrinIndex(fields=["at"], name="event_at", autosummarize=True, pages_per_range=32),
            models.Index("at", name="event_with_trace", condition=HAS_TRACE),
        ]

    def __str__(self) -> str:
        return f"{self.get_event_display()}, attempt {self.attempt}"
