"""The order of queued jobs: lanes, and what each owner has used of the workers.

A lane holds the ready jobs that are alike to the scheduler. To choose the next job, a claim looks
at the lanes, which are few, and takes the first job of the best one: see migration 0027.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.models import Exists, OuterRef, Subquery

from jobs.states import Status


class LaneQuerySet(models.QuerySet["Lane"]):
    def empty(self) -> Self:
        """Return the lanes without a ready job."""
        return self.filter(~self._ready_job())

    def not_empty(self) -> Self:
        """Return the lanes with a ready job."""
        return self.filter(self._ready_job())

    def _ready_job(self) -> Exists:
        jobs = apps.get_model("jobs", "DownloadJob").objects
        return Exists(jobs.filter(status=Status.QUEUED, lane=OuterRef("pk")))

    def delete_empty(self, most: int) -> int:
        """Delete lanes without a ready job. Return how many. Call it in a transaction.

        Who puts a job into a lane has locked its row. So the lanes are locked first, and the second
        statement sees the jobs that came meanwhile.
        """
        locked = self.empty().select_for_update(skip_locked=True).values_list("pk", flat=True)
        ids = list(locked[:most])
        return self.empty().filter(pk__in=ids).delete()[0] if ids else 0


class ShareQuerySet(models.QuerySet["QueueShare"]):
    def of_idle(self) -> Self:
        """Return the rows of owners without ready or running jobs that no longer count.

        The virtual time is past them. The rows with the latest start stay: they hold that time.
        """
        running = apps.get_model("jobs", "DownloadJob").objects.filter(status=Status.PROCESSING)
        latest = self.filter(queue=OuterRef("queue")).order_by("-started").values("started")[:1]
        return self.filter(
            ~Exists(Lane.objects.filter(owner=OuterRef("owner"))),
            ~Exists(running.filter(owner=OuterRef("owner"))),
            used__lte=Subquery(latest),
            started__lt=Subquery(latest),
        )

    def delete_of_idle(self, most: int) -> int:
        """Delete the rows of idle owners, who then start at the virtual time. Return how many."""
        return self.filter(pk__in=self.of_idle().values("pk")[:most]).delete()[0]


class Lane(models.Model):
    """Ready jobs of one owner, kind, parameters' version, priority and concurrency key.

    A job is ready if a worker may start it now. Its column `lane` is null otherwise.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=50)
    params_version = models.SmallIntegerField()
    priority = models.SmallIntegerField()
    concurrency_key = models.CharField(max_length=255)

    objects = LaneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "kind", "priority", "params_version", "concurrency_key"],
                name="lane_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.owner_id} at priority {self.priority}"


class QueueShare(models.Model):
    """What an owner has used of a queue's workers, in the queue's virtual time.

    Virtual time is worker seconds divided by the owner's weight. `used` is where the owner's next
    job would start if none of theirs were running; `started` is where their last job started. An
    owner without a row was idle, and starts where the queue is.
    """

    queue = models.CharField(max_length=50)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False
    )
    used = models.FloatField(default=0)
    started = models.FloatField(default=0, db_default=0)

    objects = ShareQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "owner"], name="queue_share_once"),
        ]

    def __str__(self) -> str:
        return f"{self.used:.1f} s of {self.queue} by {self.owner_id}"


def make_ready(job_ids: Iterable[UUID]) -> list[UUID]:
    """Put due jobs into their lanes, at the end. Return those that were not in one before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM jobs_make_ready_1(%s::uuid[])", [list(job_ids)])
        return [row[0] for row in cursor.fetchall()]
