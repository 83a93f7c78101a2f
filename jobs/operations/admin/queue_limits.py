"""The admin pages of limits and pauses: what runs, what waits, and what operators decide."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.text import capfirst

from jobs.engine.limit_states import LimitState, read_limit_states
from jobs.engine.pauses import pause, resume, ring_after_commit
from jobs.models import QueueLimit
from jobs.models.queue_limit import TITLES, QueueLimitQuerySet
from jobs.operations.admin.cells import short_time, state_cell
from jobs.operations.admin.queue_limit_form import QueueLimitForm
from jobs.operations.admin.shared import OWNER_NAME, FilteredRows
from jobs.operations.overview.links import jobs_link

COLOURS = {"paused": "stalled", "at its limit": "retry"}  # of a job in this state, by admin.css


class ScopeFilter(admin.SimpleListFilter):
    """The scope, in a word: the choices of the model are explanations."""

    title, parameter_name = "scope", "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(TITLES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[QueueLimit]) -> Any:
        return queryset.filter(scope=self.value()) if self.value() else queryset


class LimitRows(FilteredRows):
    """The list, with the jobs of each row counted in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: QuerySet[QueueLimit] = self.result_list
        states = {state.limit.pk: state for state in read_limit_states(rows)}
        for row in rows:  # evaluated above: the list shows these objects
            row.jobs_now = states[row.pk]  # type: ignore[attr-defined]


class QueueLimitAdmin(admin.ModelAdmin[QueueLimit]):
    form = QueueLimitForm
    list_display = ["part", "state", "running", "waiting", "reason", "changed", "operator"]
    list_filter = [ScopeFilter, "is_paused"]
    list_select_related = ["owner", "changed_by"]
    list_per_page = 50
    search_fields = ["name", OWNER_NAME, "reason"]
    show_facets = admin.ShowFacets.NEVER
    ordering = ["-is_paused", "scope", "name", "owner"]
    sortable_by = ["changed"]
    actions = ["pause_selected", "resume_selected"]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LimitRows]:
        return LimitRows

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    @admin.display(description="limit")
    def part(self, limit: QueueLimit) -> str:
        return str(limit)

    @admin.display(description="state")
    def state(self, limit: QueueLimit) -> str:
        state = _jobs_of(limit).state
        return state_cell(COLOURS[state], state.capitalize()) if state else "-"

    @admin.display(description="running")
    def running(self, limit: QueueLimit) -> str:
        return _count(limit, _jobs_of(limit).running_text, "running")

    @admin.display(description="waiting")
    def waiting(self, limit: QueueLimit) -> str:
        return _count(limit, f"{_jobs_of(limit).waiting:,}", "due")

    @admin.display(description="changed", ordering="changed_at")
    def changed(self, limit: QueueLimit) -> str:
        return short_time(limit.changed_at)

    @admin.display(description="by")
    def operator(self, limit: QueueLimit) -> str:
        return limit.changed_by_text

    def get_fields(self, request: HttpRequest, obj: QueueLimit | None = None) -> Any:
        values = ["max_running", "is_paused", "reason"]
        return ["part", *values] if obj else ["scope", "kind", "username", "key", *values]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["part"] if obj else []

    def save_model(self, request: HttpRequest, obj: QueueLimit, form: Any, change: bool) -> None:
        obj.changed_by = cast(User, request.user)
        obj.save()
        ring_after_commit()

    def delete_model(self, request: HttpRequest, obj: QueueLimit) -> None:
        super().delete_model(request, obj)
        ring_after_commit()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[QueueLimit]) -> None:
        super().delete_queryset(request, queryset)
        ring_after_commit()

    @admin.action(description="Pause", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[QueueLimit]) -> None:
        operator = cast(User, request.user)
        running = list(queryset.filter(is_paused=False).select_related("owner"))
        paused = [pause(row, by=operator) for row in running if row.can_be_paused]
        self._report(request, "Paused", paused)
        if each := [str(row) for row in running if not row.can_be_paused]:
            text = f"{', '.join(each)}: add a row for one to pause it, or pause the whole service."
            self.message_user(request, text, messages.WARNING)

    @admin.action(description="Resume", permissions=["change"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[QueueLimit]) -> None:
        assert isinstance(queryset, QueueLimitQuerySet)  # from the model's only manager
        self._report(request, "Resumed", resume(queryset, by=cast(User, request.user)))

    def _report(self, request: HttpRequest, done: str, rows: list[QueueLimit]) -> None:
        """Say what was done, and add it to the admin's log."""
        for row in rows:
            self.log_change(request, row, f"{done}.")
        names = "; ".join(map(str, rows))
        text = f"{done}: {names}." if rows else f"Nothing to do: {done.lower()} already."
        self.message_user(request, text, messages.SUCCESS if rows else messages.WARNING)


def _jobs_of(limit: QueueLimit) -> LimitState:
    """Return the counts of a row of the list."""
    state: LimitState = limit.jobs_now  # type: ignore[attr-defined]
    return state


def _count(limit: QueueLimit, text: str, state: str) -> str:
    """Return a number with a link to its jobs, if the list of jobs has a filter for them."""
    if limit.scope == QueueLimit.Scope.KEY or not limit.can_be_paused:
        return text
    filters = {"kind": limit.name, "owner": limit.owner.get_username() if limit.owner else ""}
    return format_html('<a href="{}">{}</a>', jobs_link(state=state, **filters), text)
