"""Which jobs: the answers that the service asks its rows for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Count, Q
from django.db.models.functions import Now

from jobs.states import ACTIVE, DONE, LOST, Status

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob  # noqa: F401 # the base names it

SEARCHED = 10_000  # jobs, the newest, that are looked through for a name
ID_BEGINS = re.compile("[0-9a-f]{8,32}")  # fewer digits are true of too many jobs
FEW = 25  # to which so many digits can lead


class JobQuerySet(models.QuerySet["DownloadJob"]):
    def unfinished(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def undone(self) -> Self:
        """What others that come after them still wait for, perhaps in vain."""
        return self.exclude(status__in=DONE)

    def by_status(self, statuses: Iterable[Status]) -> list[Self]:
        """Apart, so that of each the newest come out of an index in their order."""
        return [self.filter(status=status) for status in sorted(statuses)]

    def newest(self) -> Self:
        """The newest SEARCHED of all jobs or one owner's, so that older ones cost nothing."""
        times = self.order_by("-created_at").values_list("created_at", flat=True)
        edge = list(times[SEARCHED - 1 : SEARCHED])
        return self.filter(created_at__gte=edge[0]) if edge else self

    def of_kind(self, kind: str) -> Self:
        """Those of the newest: kinds have no index, and somebody may have none of a kind."""
        return self.newest().filter(kind=kind)

    def of_days(self, first: date, last: date, owner: User | None) -> Self:
        """Asked for on these days of UTC, the last included, by one owner or anybody."""
        begin, end = (
            datetime.combine(day, time.min, UTC) for day in (first, last + timedelta(days=1))
        )
        jobs = self.filter(created_at__gte=begin, created_at__lt=end)
        jobs = jobs.filter(owner=owner) if owner else jobs
        return jobs.order_by("-created_at", "-id" if owner else "id")  # as the indexes are

    def found_by(self, text: str) -> Self:
        """That whose id begins so; else those of the newest with the text in their name.

        Names have no index: every move of a job would have to write to it as well.
        """
        identified = self.filter(pk__in=self._ids_that_begin(text))
        if identified.exists():
            return identified
        # No `icontains`: of its UPPER(name) Postgres has no statistics, and would sort all of them.
        return self.newest().filter(name__iregex=re.escape(text))

    def _ids_that_begin(self, text: str) -> list[UUID]:
        """Anybody's, found between the lowest and the highest such id. Hyphens may be missing."""
        digits = text.lower().replace("-", "")
        if not ID_BEGINS.fullmatch(digits):
            return []
        lowest, highest = (UUID(digits.ljust(32, end)) for end in "0f")
        jobs = self.model.objects.filter(pk__range=(lowest, highest)).order_by()
        return list(jobs.values_list("pk", flat=True)[:FEW])

    def due(self) -> Self:
        """What a worker could take now."""
        return self.filter(status=Status.QUEUED, held=False, available_at__lte=Now())

    def to_ring(self, unheard: timedelta) -> Self:
        """Due, and nobody was told for `unheard`: the most urgent first, then the oldest."""
        silent = self.due().filter(Q(published_at=None) | Q(published_at__lt=Now() - unheard))
        return silent.order_by("-priority", "available_at")

    def to_release_or_skip(self) -> Self:
        """Held for others, none of which goes on; or one of which will not be done.

        Found from the few that are held: neither of all jobs nor of all that ever waited is there
        an end.
        """
        held = self.filter(status=Status.QUEUED, held=True)
        going_on = Count("after", Q(after__status__in=ACTIVE))
        lost = Count("after", Q(after__status__in=LOST))
        counted = held.values("pk").annotate(going_on=going_on, lost=lost)
        over = counted.filter(Q(going_on=0) | Q(lost__gt=0)).values("pk")
        return held.filter(pk__in=over).order_by("created_at")

    def silent(self) -> Self:
        return self.filter(status=Status.PROCESSING, lease_until__lt=Now()).order_by("lease_until")

    def outdated(self) -> Self:
        """Its time is over, and no other job waits to read it."""
        over = self.filter(status=Status.COMPLETED, expires_at__lt=Now()).order_by("expires_at")
        return over.exclude(followers__status__in=ACTIVE)

    def to_collect(self) -> Self:
        return self.filter(collect_at__lt=Now()).order_by("collect_at")

    def with_old_key(self, kept: timedelta) -> Self:
        """Created so long ago that nobody tries the same request again."""
        return self.filter(~Q(idempotency_key=""), created_at__lt=Now() - kept)

    def locked(self) -> Self:
        """Lock the rows; those that somebody else holds are left to them."""
        return self.select_for_update(skip_locked=True, of=("self",))
