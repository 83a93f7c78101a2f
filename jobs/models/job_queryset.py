"""The queries for jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from jobs.models.job_fields import OVER_AT
from jobs.models.newest import NewestQuerySet
from jobs.models.notification import Notification
from jobs.models.stored_file import StoredFile
from jobs.states import ACTIVE, DONE, LOST, Status

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob  # noqa: F401 # in the type of the base class

ID_BEGINS = re.compile("[0-9a-f]{8,32}")  # fewer digits match too many jobs
FEW = 25  # more jobs than 8 digits can match by chance


class JobQuerySet(NewestQuerySet["DownloadJob"]):
    def of_owner(self, owner_id: int) -> Self:
        """Return the owner's jobs, without those that the owner deleted a moment ago."""
        return self.filter(owner=owner_id, deletion=None)

    def unfinished(self) -> Self:
        """Return queued and running jobs."""
        return self.filter(status__in=ACTIVE)

    def not_completed(self) -> Self:
        """Return the jobs that block their dependents: all but completed and expired ones."""
        return self.exclude(status__in=DONE)

    def dependencies_of(self, job_id: UUID) -> Self:
        """Return the jobs that this one depends on. Runs a query.

        Not a join, which reads all jobs while Postgres knows little about a small table of links.
        """
        links = self.model.after.through.objects.filter(from_downloadjob=job_id)
        return self.filter(pk__in=list(links.values_list("to_downloadjob", flat=True)))

    def dependents_of(self, job_id: UUID) -> Self:
        """Return the jobs that depend on this one. Runs a query, as `dependencies_of` does."""
        links = self.model.after.through.objects.filter(to_downloadjob=job_id)
        return self.filter(pk__in=list(links.values_list("from_downloadjob", flat=True)))

    def by_status(self, statuses: Iterable[Status]) -> list[Self]:
        """Return one queryset a status, each of which an index returns newest first."""
        return [self.filter(status=status) for status in sorted(statuses)]

    def of_kind(self, kind: str) -> Self:
        """Return the newest jobs of a kind. Only the newest are searched: kinds have no index."""
        return self.newest().filter(kind=kind)

    def of_days(self, first: date, last: date, owner: User | None) -> Self:
        """Return the jobs created from `first` through `last`, in UTC, of one owner or of all."""
        begin, end = (
            datetime.combine(day, time.min, UTC) for day in (first, last + timedelta(days=1))
        )
        jobs = self.filter(created_at__gte=begin, created_at__lt=end)
        jobs = jobs.filter(owner=owner) if owner else jobs
        return jobs.order_by("-created_at", "-id" if owner else "id")  # as the indexes are

    def found_by(self, text: str) -> Self:
        """Return the jobs whose id begins with the text, or the newest with it in their name.

        Names have no index, which every change of a job would have to update.
        """
        identified = self.filter(pk__in=self._ids_that_begin(text))
        return identified if identified.exists() else self.newest().named(text)

    def all_found_by(self, text: str) -> Self:
        """Return what `found_by` does, but among all jobs. Reads every row."""
        identified = self.filter(pk__in=self._ids_that_begin(text))
        return identified if identified.exists() else self.named(text)

    def named(self, text: str) -> Self:
        """Return the jobs with the text in their name."""
        # Not `icontains`: Postgres has no statistics for its UPPER(name) and would sort all rows.
        return self.filter(name__iregex=re.escape(text))

    def _ids_that_begin(self, text: str) -> list[UUID]:
        """Return ids, of any owner, that begin with these digits. Hyphens are optional."""
        digits = text.lower().replace("-", "")
        if not ID_BEGINS.fullmatch(digits):
            return []
        lowest, highest = (UUID(digits.ljust(32, end)) for end in "0f")
        jobs = self.model.objects.filter(pk__range=(lowest, highest)).order_by()
        return list(jobs.values_list("pk", flat=True)[:FEW])

    def due(self) -> Self:
        """Return the queued jobs that may start now, unless a limit or a pause forbids it."""
        return self.filter(status=Status.QUEUED, held=False, available_at__lte=Now())

    def ready(self) -> Self:
        """Return the jobs that are in a lane, so that a worker can claim them."""
        return self.filter(status=Status.QUEUED, lane__isnull=False)

    def to_make_ready(self) -> Self:
        """Return due jobs that are not in a lane yet."""
        return self.due().filter(lane=None).order_by("available_at")

    def to_release_or_fail(self) -> Self:
        """Return blocked jobs whose dependencies are all finished, or one of them failed.

        The query starts from the blocked jobs, which are few.
        """
        blocked = self.filter(status=Status.QUEUED, held=True)
        active = Count("after", Q(after__status__in=ACTIVE))
        lost = Count("after", Q(after__status__in=LOST))
        counted = blocked.values("pk").annotate(active=active, lost=lost)
        decided = counted.filter(Q(active=0) | Q(lost__gt=0)).values("pk")
        return blocked.filter(pk__in=decided).order_by("created_at")

    def lease_expired(self) -> Self:
        """Return running jobs whose worker has stopped renewing the lease."""
        return self.filter(status=Status.PROCESSING, lease_until__lt=Now()).order_by("lease_until")

    def with_running_time(self) -> Self:
        """Add `running_time` to running jobs, by the clock of the database as `started_at` is."""
        return self.annotate(running_time=Now() - Coalesce("started_at", Now()))

    def due_to_expire(self) -> Self:
        """Return completed jobs past their expiry that no active job depends on."""
        over = self.filter(status=Status.COMPLETED, expires_at__lt=Now()).order_by("expires_at")
        return over.exclude(dependents__status__in=ACTIVE)

    def to_delete(self, kept: timedelta, *, among: int) -> Self:
        """Return those of the oldest finished jobs whose rows are no longer needed.

        Their files and leftover objects are deleted, their messages sent, and no job that is kept
        depends on them. Only `among` jobs are looked at, so that Postgres reads no others.
        """
        since = Now() - kept
        over = self.alias(over_at=OVER_AT).filter(finished_at__isnull=False, over_at__lt=since)
        over = over.filter(collect_at=None)
        over = over.exclude(status=Status.COMPLETED, expires_at__isnull=False)
        dependents = self.model.objects.alias(over_at=OVER_AT).filter(after=OuterRef("pk"))
        return self.filter(
            ~Exists(dependents.filter(Q(finished_at=None) | Q(over_at__gte=since))),
            ~Exists(StoredFile.objects.filter(made_by=OuterRef("pk"))),
            ~Exists(Notification.objects.waiting().filter(job=OuterRef("pk"))),
            pk__in=over.order_by("over_at").values("pk")[:among],
        ).order_by()

    def to_collect(self) -> Self:
        """Return jobs whose leftover objects are to be deleted now."""
        return self.filter(collect_at__lt=Now()).order_by("collect_at")

    def with_old_key(self, kept: timedelta) -> Self:
        """Return jobs with an idempotency key that is older than `kept`."""
        return self.filter(~Q(idempotency_key=""), created_at__lt=Now() - kept)

    def locked(self) -> Self:
        """Lock the rows, skipping those that are locked already."""
        return self.select_for_update(skip_locked=True, of=("self",))
