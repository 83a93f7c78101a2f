"""What fails now: the error codes of failed jobs, and of attempts that were repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Max, Min, Q
from django.db.models.functions import Now

from jobs.engine.statistics import LATER
from jobs.lib.accounts import username_field
from jobs.models import DownloadJob, JobEvent
from jobs.models.event import HAS_TRACE
from jobs.operations.overview.links import jobs_link
from jobs.operations.overview.periods import TimeRange
from jobs.states import Event, Status

MOST_COUNTED = 10_000  # the newest failures; more in a period count as one
MOST_ROWS = 8
FAILED = Q(status=Status.FAILED)


@dataclass(frozen=True)
class FailureGroup:
    """An error of a kind: how often since when, and for how many owners."""

    kind: str
    code: str
    period: str
    failed: int = 0
    retrying: int = 0
    owners: int = 0
    one_owner: str = ""  # if it is only one
    first_at: datetime | None = None
    last_at: datetime | None = None
    attempts: int = 0  # that were repeated, whatever became of their jobs

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
    found = {(row["kind"], row["error_code"]): row for row in _failed_jobs(period)}
    for attempts in _repeated_attempts(period):
        key = attempts["kind"], attempts["error_code"]
        found[key] = _merged(found.get(key, attempts), attempts)
    groups = [_failure(*key, row, period) for key, row in found.items()]
    return sorted(groups, key=lambda each: -(each.failed + each.retrying + each.attempts))[
        :MOST_ROWS
    ]


def _merged(jobs: dict[str, Any], attempts: dict[str, Any]) -> dict[str, Any]:
    """Return the row of an error. Of the owners of both, at least so many are known."""
    same = jobs["one_owner"] == attempts["one_owner"]
    return jobs | {
        "attempts": attempts["attempts"],
        "owners": max(jobs["owners"], attempts["owners"], 1 if same else 2),
        "first_at": min(filter(None, [jobs["first_at"], attempts["first_at"]])),
        "last_at": max(filter(None, [jobs["last_at"], attempts["last_at"]])),
    }


def _failed_jobs(period: TimeRange) -> Any:
    """Return the failed jobs, and those that wait for a retry, by kind and error code."""
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
    return rows


def _repeated_attempts(period: TimeRange) -> Any:
    """Return the attempts that failed or lost their worker and were repeated.

    Their events have an index of their own; they lose their traces after TRACEBACK_KEPT_SECONDS.
    """
    events = JobEvent.objects.order_by().filter(
        HAS_TRACE, event__in=[Event.RETRY, Event.RESCUE], at__gte=Now() - period.length
    )
    newest = events.order_by("-at").values("pk")[:MOST_COUNTED]
    rows: Any = (
        JobEvent.objects.order_by()
        .filter(pk__in=newest)
        .values(kind=F("job__kind"), error_code=F("code"))
        .annotate(
            attempts=Count("pk"),
            owners=Count("job__owner", distinct=True),
            one_owner=Min(f"job__owner__{username_field()}"),
            first_at=Min("at"),
            last_at=Max("at"),
        )
    )
    return rows


def _failure(kind: str, code: str, row: dict[str, Any], period: TimeRange) -> FailureGroup:
    facts = {name: value for name, value in row.items() if name not in ("kind", "error_code")}
    if facts["owners"] != 1:
        facts["one_owner"] = ""
    return FailureGroup(kind=kind, code=code, period=period.name, **facts)
