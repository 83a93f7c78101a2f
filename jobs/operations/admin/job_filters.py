"""The filters of the admin's list of jobs. None of them reads all jobs.

Those without an index of their own look among the newest rows that the filters before them left,
unless these are few: jobs in a state of the queue, or that finished lately. Actions are on all jobs
that match.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from jobs.engine.statistics import DUE, LATER, QUEUED
from jobs.kinds.error_codes import job_error_codes
from jobs.kinds.registry import KINDS
from jobs.lib.accounts import account_named
from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.operations.overview.periods import PERIODS
from jobs.states import Status
from jobs.terms import USUAL_PRIORITY

Jobs = QuerySet[DownloadJob]
RUNNING = Q(status=Status.PROCESSING)
STATES = {
    "due": ("waits for a worker", DUE),
    "retry": ("waits for a retry", LATER & ~Q(error_code="")),
    "scheduled": ("waits for its time", LATER & Q(error_code="")),
    "blocked": ("waits for other jobs", QUEUED & Q(held=True)),
    "running": ("in progress", RUNNING),
    "stalled": ("stalled", RUNNING & Q(lease_until__lt=Now())),
}
URGENCIES = {
    "high": ("high", Q(priority__gt=USUAL_PRIORITY)),
    "usual": ("usual", Q(priority=USUAL_PRIORITY)),
    "low": ("low", Q(priority__lt=USUAL_PRIORITY)),
}
ATTEMPTS = {
    "1": ("one", Q(attempt=1)),
    "2": ("two or more", Q(attempt__gte=2)),
    "4": ("four or more", Q(attempt__gte=4)),
}
INDEXED_BY_END = {Status.COMPLETED, Status.FAILED}


def status_of(request: HttpRequest) -> str:
    return request.GET.get("status__exact", "")


def are_all_searched(request: HttpRequest) -> bool:
    """Return whether to look among all jobs, and not only the newest.

    For an action, and if the other filters leave so few that an index finds them all.
    """
    if request.method == "POST":
        return True
    is_lately = "finished" in request.GET and status_of(request) in INDEXED_BY_END
    return bool(request.GET.get("state")) or is_lately


class JobListFilter(admin.SimpleListFilter):
    """A filter with fixed choices."""

    choices_by_value: dict[str, tuple[str, Q]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, label) for value, (label, _) in self.choices_by_value.items()]

    def queryset(self, request: HttpRequest, queryset: Jobs) -> Jobs:
        condition = self.condition()
        return queryset if condition is None else queryset.filter(condition)

    def condition(self) -> Q | None:
        """Return what is chosen; None without a choice, or with one that there is not."""
        label_and_condition = self.choices_by_value.get(self.value() or "")
        return label_and_condition and label_and_condition[1]


class NewestFilter(JobListFilter):
    """A filter on a column without an index."""

    def queryset(self, request: HttpRequest, queryset: Jobs) -> Jobs:
        condition = self.condition()
        if condition is None:
            return queryset
        assert isinstance(queryset, JobQuerySet)  # from the model's only manager
        found = queryset if are_all_searched(request) else queryset.newest()
        return found.filter(condition)


class QueueStateFilter(JobListFilter):
    title, parameter_name, choices_by_value = "state in the queue", "state", STATES


class UrgencyFilter(NewestFilter):
    title, parameter_name, choices_by_value = "priority", "urgency", URGENCIES


class AttemptsFilter(NewestFilter):
    title, parameter_name, choices_by_value = "attempts", "attempts", ATTEMPTS


class KindFilter(NewestFilter):
    title = parameter_name = "kind"
    choices_by_value = cast(
        dict[str, tuple[str, Q]],
        SimpleLazyObject(lambda: {name: (name, Q(kind=name)) for name in KINDS}),
    )


class ErrorCodeFilter(NewestFilter):
    title, parameter_name = "error code", "error_code"
    choices_by_value = cast(
        dict[str, tuple[str, Q]],
        SimpleLazyObject(
            lambda: {code: (code, Q(error_code=code)) for code in sorted(job_error_codes())}
        ),
    )


class FinishedFilter(NewestFilter):
    """When a job ended. All completed and failed jobs are found; of others, the newest."""

    title, parameter_name = "finished", "finished"
    choices_by_value = {
        name: (f"in the last {period.label}", Q(finished_at__gte=Now() - period.length))
        for name, period in PERIODS.items()
    }


class OwnerFilter(admin.SimpleListFilter):
    """The owner, by a name that is typed: there may be thousands of them."""

    title = parameter_name = "owner"
    template = "admin/jobs/owner_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "")]  # so that it is shown

    def queryset(self, request: HttpRequest, queryset: Jobs) -> Jobs:
        name = (self.value() or "").strip()
        if not name:
            return queryset
        # By the id, which the indexes begin with: by the name, all jobs would be read.
        owner = account_named(name)
        return queryset.filter(owner=owner) if owner else queryset.none()

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the other parameters of the URL, for the form."""
        kept = changelist.get_filters_params()
        yield {
            "kept": [
                (name, value)
                for name, values in kept.items()
                if name != self.parameter_name
                for value in (values if isinstance(values, list) else [values])
            ]
            + ([("q", changelist.query)] if changelist.query else [])
        }
