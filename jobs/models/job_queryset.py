"""Which jobs: the answers that the service asks its rows for, and the insert that begins one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import Q, Sum
from django.db.models.functions import Now

from jobs.states import ACTIVE, Actor, Event, Status

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob

WAITING = "Waiting for a worker"


class JobQuerySet(models.QuerySet["DownloadJob"]):
    def submit(self, **fields: Any) -> DownloadJob:
        """Write the row and the first line of its history."""
        with transaction.atomic():
            job = self.create(message=WAITING, **fields)
            job.refresh_from_db()  # the database set the times
            job._remember(Event.SUBMIT, Actor.OWNER)
        return job

    def unfinished(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def are_at_least(self, many: int) -> bool:
        """Counts no further than that: of a million rows, too, it reads that many."""
        return self.order_by()[:many].count() >= many

    def bytes_to_come(self) -> int:
        """What those still to be finished will weigh, as far as that is known."""
        active = self.unfinished().filter(unit="bytes")
        return int(active.aggregate(bytes=Sum("total", default=0))["bytes"])

    def to_ring(self, unheard: timedelta) -> Self:
        """Due, and nobody was told for `unheard`: the most urgent first, then the oldest."""
        return self.filter(
            Q(published_at=None) | Q(published_at__lt=Now() - unheard),
            status=Status.QUEUED,
            available_at__lte=Now(),
        ).order_by("-priority", "available_at")

    def silent(self) -> Self:
        return self.filter(status=Status.PROCESSING, lease_until__lt=Now()).order_by("lease_until")

    def outdated(self) -> Self:
        return self.filter(status=Status.COMPLETED, expires_at__lt=Now()).order_by("expires_at")

    def to_collect(self) -> Self:
        return self.filter(collect_at__lt=Now()).order_by("collect_at")

    def with_old_key(self, kept: timedelta) -> Self:
        """Created so long ago that nobody tries the same request again."""
        return self.filter(~Q(idempotency_key=""), created_at__lt=Now() - kept)

    def locked(self) -> Self:
        """Lock the rows; those that somebody else holds are left to them."""
        return self.select_for_update(skip_locked=True, of=("self",))
