"""What operators do with many jobs at once. The dispatcher does it, see engine/bulk_actions.py."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from jobs.states import FINAL, MOVES, Event, Status

if TYPE_CHECKING:
    from jobs.models.job_queryset import JobQuerySet

BATCH = 50  # jobs in one transaction, which locks them for about 0.2 s
MAX_LISTED = 50  # skipped jobs that a report names

# Jobs that one statement records: a million at once would take longer than a statement may.
CHUNK = 50_000

# Record the ids of the jobs in their order, BATCH in a row. Return their number, and the last one.
INSERT_BATCHES = """
WITH numbered AS MATERIALIZED (
    SELECT at, id, row_number() OVER () AS n FROM ({jobs}) chosen (at, id)
), batch AS (
    INSERT INTO jobs_bulkactionbatch (action_id, job_ids)
    SELECT %s, array_agg(id ORDER BY n) FROM numbered
    GROUP BY (n - 1) / %s ORDER BY (n - 1) / %s
)
SELECT n, at, id FROM numbered ORDER BY n DESC LIMIT 1
"""


class JobAction(models.TextChoices):
    """What an operator can do with a job."""

    RETRY = "retry"
    CANCEL = "cancel"
    CHANGE_PRIORITY = "change_priority", "Change priority"
    DELETE = "delete"

    @property
    def statuses(self) -> frozenset[Status]:
        """Return the statuses of the jobs that this can be done with."""
        return FINAL if self == JobAction.DELETE else MOVES[EVENTS[self]].sources

    @property
    def past(self) -> str:
        return PAST[self]


EVENTS = {
    JobAction.RETRY: Event.REQUEUE,
    JobAction.CANCEL: Event.CANCEL,
    JobAction.CHANGE_PRIORITY: Event.CHANGE_PRIORITY,
}
PAST = {
    JobAction.RETRY: "Retried",
    JobAction.CANCEL: "Cancelled",
    JobAction.CHANGE_PRIORITY: "Priority changed",
    JobAction.DELETE: "Deleted",
}


class SkipReason(models.TextChoices):
    """Why an action left a job as it was. The first six are its status."""

    QUEUED = "queued", "It is queued"
    PROCESSING = "processing", "It is in progress"
    COMPLETED = "completed", "It has completed"
    FAILED = "failed", "It has failed"
    CANCELLED = "cancelled", "It was cancelled"
    EXPIRED = "expired", "It has expired"
    INFECTED = "infected", "A virus was found in the file"
    SAME_PRIORITY = "same_priority", "It has this priority already"
    NEEDED = "needed", "Active downloads depend on it"
    NOT_NOTIFIED = "not_notified", "Its e-mail or webhook is not sent yet"
    KIND_MISSING = "kind_missing", "Its kind is not installed"
    DELETED = "deleted", "It was deleted meanwhile"
    ERROR = "error", "An error, which is in the log of the dispatcher"


class BulkActionQuerySet(models.QuerySet["BulkAction"]):
    def start(
        self,
        jobs: JobQuerySet,
        action: JobAction,
        operator: User,
        *,
        bulk_id: uuid.UUID,
        priority: int | None = None,
        query: str = "",
    ) -> BulkAction:
        """Record the action, and which jobs it is for: those that match now, the oldest first.

        With a `bulk_id` that is known already, return that action: a form that is sent twice.
        """
        values = {"action": action, "operator": operator, "priority": priority, "query": query}
        with transaction.atomic():
            found, is_new = self.get_or_create(pk=bulk_id, defaults=values)
            if is_new:
                found.total = _insert_batches(found, jobs)
                found.save(update_fields=["total"])
        return found

    def running(self) -> Self:
        return self.filter(state=BulkAction.State.RUNNING)

    def due(self) -> Self:
        """Return the running actions whose next batch is due."""
        return self.running().filter(due_at__lte=Now()).order_by("due_at")

    def locked(self) -> Self:
        """Lock the rows, skipping those whose batch another process handles now."""
        return self.select_for_update(skip_locked=True, of=("self",))


def _insert_batches(action: BulkAction, jobs: JobQuerySet) -> int:
    """Return the number of jobs."""
    total, ordered = 0, jobs.order_by("created_at", "-pk")  # as the index, backwards
    rest = ordered
    while last := _insert_chunk(action, rest):
        number, at, pk = last
        total += number
        if number < CHUNK:
            break
        later = Q(created_at__gt=at) | Q(created_at=at, pk__lt=pk)
        rest = ordered.filter(later, created_at__gte=at)
    return total


def _insert_chunk(action: BulkAction, jobs: JobQuerySet) -> tuple[int, datetime, uuid.UUID] | None:
    """Return the number of jobs, and the time and id of the last one; None if there are none."""
    sql, params = jobs.values_list("created_at", "pk")[:CHUNK].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(INSERT_BATCHES.format(jobs=sql), [*params, action.pk, BATCH, BATCH])
        found: tuple[int, datetime, uuid.UUID] | None = cursor.fetchone()
    return found


class BulkAction(models.Model):
    """One action of an operator on many jobs, with its report."""

    class State(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        STOPPED = "stopped"  # by an operator

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(max_length=20, choices=JobAction.choices)
    priority = models.SmallIntegerField(null=True)  # the new one
    query = models.TextField(blank=True)  # the filters of the admin's list
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    total = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    skipped = models.JSONField(default=dict)  # the number of jobs by SkipReason
    skipped_jobs = models.JSONField(default=list)  # the first of them: [id, SkipReason]
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())  # when its next batch is
    finished_at = models.DateTimeField(null=True)

    objects = BulkActionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index("due_at", name="bulk_action_due", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        to = "" if self.priority is None else f" to {self.priority}"
        jobs = "download" if self.total == 1 else "downloads"
        return f"{self.get_action_display()}{to}: {self.total:,} {jobs}"

    @property
    def is_running(self) -> bool:
        return self.state == self.State.RUNNING

    @property
    def skipped_count(self) -> int:
        return sum(self.skipped.values())

    @property
    def handled(self) -> int:
        return self.done + self.skipped_count

    @property
    def left(self) -> int:
        return self.total - self.handled

    def record(
        self, *, done: int, skipped: list[tuple[uuid.UUID, SkipReason]], due_at: datetime
    ) -> None:
        """Save the outcome of a batch, and when the next is due. Without a next one, this ends.

        The caller holds the row's lock.
        """
        counts = Counter(self.skipped) + Counter(reason.value for _, reason in skipped)
        named = [[str(pk), reason.value] for pk, reason in skipped]
        self.done, self.skipped = self.done + done, dict(counts)
        self.skipped_jobs = (self.skipped_jobs + named)[:MAX_LISTED]
        self.due_at = due_at
        if not self.batches.exists():
            self.state, self.finished_at = self.State.COMPLETED, timezone.now()
        self.save()

    def stop(self) -> bool:
        """Drop the batches that are left. Return False if there is nothing to stop."""
        with transaction.atomic():
            row = BulkAction.objects.running().filter(pk=self.pk)
            if not row.update(state=self.State.STOPPED, finished_at=Now()):
                return False
            self.batches.all().delete()
        self.refresh_from_db()
        return True


class BulkActionBatch(models.Model):
    """The next jobs of a bulk action. Deleted in the transaction that handles them."""

    action = models.ForeignKey(  # without an index of its own: the other begins with it
        BulkAction, models.CASCADE, related_name="batches", db_index=False
    )
    job_ids = ArrayField(models.UUIDField())

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "bulk action batches"
        indexes = [models.Index(fields=["action", "id"], name="bulk_action_next_batch")]

    def __str__(self) -> str:
        return f"{len(self.job_ids)} jobs of {self.action_id}"
