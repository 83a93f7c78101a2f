"""A request that is repeated, by a cron line and a time zone, and what came of it lately.

The dispatcher starts the jobs: engine/schedules.py.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.lib.cron import MAX_CRON_CHARS, cron_text, next_cron_time

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob

RUNS_KEPT = 10  # of each schedule; the jobs stay as long as others


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def due(self) -> Self:
        """Return the schedules whose next run is due, the longest due first.

        Those of inactive users wait, and run once when the user is active again.
        """
        return self.filter(next_run_at__lte=Now(), owner__is_active=True).order_by("next_run_at")

    def skip_locked(self) -> Self:
        """Lock the rows, without those that another process has locked."""
        return self.select_for_update(skip_locked=True, of=("self",)).select_related("owner")

    def with_runs(self) -> Self:
        """Read the runs, and the status of their jobs, in one more query."""
        jobs = ScheduleRun.objects.select_related("job").defer("job__params")
        return self.prefetch_related(models.Prefetch("runs", jobs))


class Schedule(models.Model):
    """One repeated request. `next_run_at` is null while it is paused.

    A run is due at `next_run_at`. Its time moves on in the transaction that records the job, so
    that each run is started once, however many dispatchers there are and wherever one dies.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="schedules")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=50)
    request = models.JSONField()  # the body of a request for a job of the kind
    cron = models.CharField(max_length=MAX_CRON_CHARS)
    time_zone = models.CharField(max_length=64)
    is_paused = models.BooleanField("paused", default=False, db_default=False)
    next_run_at = models.DateTimeField("next run", null=True)
    created_at = models.DateTimeField("created", db_default=Now())
    updated_at = models.DateTimeField("changed", auto_now=True)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                "next_run_at", name="schedule_due", condition=Q(next_run_at__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="schedule_paused_is_never_due",
                condition=Q(is_paused=False) | Q(next_run_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cron_text(self) -> str:
        """Return 'At 08:30 on Monday through Friday'."""
        return cron_text(self.cron)

    def plan_next_run(self, after: datetime) -> None:
        """Set the next run to the first after this time; none if paused. Not saved."""
        self.next_run_at = (
            None if self.is_paused else next_cron_time(self.cron, self.time_zone, after)
        )

    def record_run(
        self, due_at: datetime, job_id: uuid.UUID | None, error_code: str = "", error: str = ""
    ) -> None:
        """Record the job that was started, or why none was. The caller holds the row's lock."""
        self.runs.create(due_at=due_at, job_id=job_id, error_code=error_code, error=error[:500])
        kept = self.runs.values("pk")[:RUNS_KEPT]
        self.runs.exclude(pk__in=list(kept.values_list("pk", flat=True))).delete()


class ScheduleRun(models.Model):
    """One run of a schedule: its job, which may have been deleted since, or why it has none."""

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="runs", db_index=False)
    due_at = models.DateTimeField()
    job = models.ForeignKey(
        "DownloadJob", models.DO_NOTHING, null=True, related_name="+", db_index=False,
        db_constraint=False,
    )  # fmt: skip
    error_code = models.CharField(max_length=50, blank=True, db_default="")
    error = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-due_at"]
        constraints = [
            models.UniqueConstraint("schedule", "due_at", name="schedule_runs_once_when_due"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.due_at:%Y-%m-%d %H:%M}"

    @property
    def kept_job(self) -> DownloadJob | None:
        """The job, unless it was deleted."""
        return self.job if self.job and not self.job.deletion_id else None
