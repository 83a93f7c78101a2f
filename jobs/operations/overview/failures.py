"""What fails now: the error codes of failed jobs, and of those that wait for a retry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Now

from jobs.engine.statistics import LATER
from jobs.lib.accounts import username_field
from jobs.models import DownloadJob
from jobs.operations.overview.links import jobs_link
from jobs.operations.overview.periods import TimeRange
from jobs.states import Status

MOST_COUNTED = 10_000  # the newest failures; more in a period count as one
MOST_ROWS = 8
FAILED = Q(status=Status.FAILED)


@dataclass(frozen=True)
class FailureGroup:
    """An error of a kind: how often since when, and for how many owners."""

    kind: str
    code: str
    failed: int
    retrying: int
    owners: int
    one_owner: str  # if it is only one
    first_at: datetime | None
    last_at: datetime | None
    period: str

    @property
    def failed_link(self) -> str:
        status = Status.FAILED.value
        filters = {"kind": self.kind, "error_code": self.code, "finished": self.period}
        return jobs_link(status__exact=status, **filters)

    @property
    def retrying_link(self) -> str:
        return jobs_link(state="retry", kind=self.kind, error_code=self.code)


def read_failures(period: TimeRange) -> list[FailureGroup]:
    """Return the most frequent errors of the period."""
    jobs = DownloadJob.objects.order_by()
    ended = jobs.filter(FAILED, finished_at__gte=Now() - period.length)
    later = jobs.filter(LATER).exclude(error_code="")
    newest = ended.order_by("-finished_at").values("pk")[:MOST_COUNTED]
    chosen = jobs.filter(pk__in=newest.union(later.values("pk"), all=True))  # OR would read all
    rows: Any = chosen.values("kind", "error_code").annotate(
        failed=Count("pk", FAILED),
        retrying=Count("pk", ~FAILED),
        owners=Count("owner", distinct=True),
        one_owner=Min(f"owner__{username_field()}"),
        first_at=Min("finished_at"),
        last_at=Max("updated_at"),
    )
    found = [_failure(row, period) for row in rows]
    return sorted(found, key=lambda each: -(each.failed + each.retrying))[:MOST_ROWS]


def _failure(row: dict[str, Any], period: TimeRange) -> FailureGroup:
    owner = row.pop("one_owner") if row["owners"] == 1 else row.pop("one_owner") and ""
    return FailureGroup(code=row.pop("error_code"), one_owner=owner, period=period.name, **row)
