"""The admin pages of jobs: the list, and the page of one with its history and buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from jobs.engine.bulk_actions import do_job_action, log_job_action
from jobs.errors import NOT_RUN_AGAIN
from jobs.lib.accounts import account_named
from jobs.models import BulkAction, DownloadJob, JobAction
from jobs.models.job_queryset import JobQuerySet
from jobs.models.newest import SEARCHED
from jobs.models.permissions import can_do_job_action
from jobs.operations.admin.job_actions import JobActions
from jobs.operations.admin.job_columns import JobColumns
from jobs.operations.admin.job_filters import (
    AttemptsFilter,
    ErrorCodeFilter,
    FinishedFilter,
    KindFilter,
    OwnerFilter,
    QueueStateFilter,
    UrgencyFilter,
)
from jobs.operations.admin.job_timeline import read_timeline
from jobs.operations.admin.notifications import NotificationInline
from jobs.operations.admin.shared import (
    LISTED,
    OWNER_NAME,
    Chosen,
    NewestPaginator,
    ReadOnly,
    Searched,
)
from jobs.web import converters as converters  # registers `<job:...>`

BUTTONS = {"run_again": JobAction.RETRY, "cancel": JobAction.CANCEL}  # by the end of the URL


class JobAdmin(JobActions, Chosen, Searched, ReadOnly, JobColumns, admin.ModelAdmin[DownloadJob]):
    list_display = [
        "name", "state", "owner_jobs", "kind", "size", "attempt", "error_code", "created",
    ]  # fmt: skip
    list_filter = [
        "status", QueueStateFilter, KindFilter, OwnerFilter, FinishedFilter, "created_at",
        AttemptsFilter, UrgencyFilter, ErrorCodeFilter,
    ]  # fmt: skip
    list_select_related = ["owner"]
    list_per_page = 50
    list_max_show_all = 0
    paginator = NewestPaginator
    show_facets = admin.ShowFacets.NEVER  # they count every row for every choice
    sortable_by = ["created"]  # by another column, all rows would be sorted
    search_fields = ["id", OWNER_NAME, "name"]  # as get_search_results does it
    search_help_text = (
        "The beginning of a download's id, its owner's whole name, or a part of its own name"
        f" if it is one of the newest {SEARCHED:,}: kinds, error codes, attempts and priorities are"
        f" looked for among these, too. The newest {LISTED:,} are listed."
    )
    show_full_result_count = False
    ordering = ["-created_at"]
    inlines = [NotificationInline]
    actions = ["retry_selected", "cancel_selected", "change_priority_selected", "delete_selected"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "id", "name", "kind", "owner_jobs", "state", "message", "error", "error_code",
                    "request_id", "trace",
                ]
            },
        ),
        (
            "Terms",
            {
                "fields": [
                    "priority", "scheduled", "dependencies", "dependent_jobs", "email",
                    "webhook_host",
                ]
            },
        ),
        (
            "Progress",
            {"fields": ["share", "done", "total", "unit", "speed", "threads", "stored_files"]},
        ),
        (
            "Attempts",
            {"fields": ["attempt", "failures", "losses", "worker", "heartbeat", "result"]},
        ),
        (
            "Times",
            {
                "fields": [
                    "created_exactly", "available", "published", "started", "updated",
                    "finished", "expires",
                ]
            },
        ),
        ("Request", {"fields": ["params", "metadata"]}),
    ]  # fmt: skip

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [field for _, group in self.fieldsets for field in group["fields"]]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the field sets, without the trace if there is no viewer for it."""
        (title, first), *others = self.fieldsets
        fields = [name for name in first["fields"] if name != "trace" or settings.TRACE_URL]
        return [(title, {**first, "fields": fields}), *others]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DownloadJob], search_term: str
    ) -> tuple[QuerySet[DownloadJob], bool]:
        assert isinstance(queryset, JobQuerySet)  # from the model's only manager
        if not (text := search_term.strip()):
            return queryset, False
        if owner := account_named(text):
            return queryset.filter(owner=owner), False
        if request.method == "POST":  # an action is on all that match
            return queryset.all_found_by(text), False
        return queryset.found_by(text), False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        job: DownloadJob = context["original"]
        actions = [
            action
            for action in JobAction
            if can_do_job_action(request.user, action)
            and job.status in action.statuses
            and not (action == JobAction.RETRY and job.error_code in NOT_RUN_AGAIN)
        ]
        context["verbs"] = [
            (name, BUTTONS[name].label) for name in BUTTONS if BUTTONS[name] in actions
        ]
        context["linked_actions"] = [each for each in actions if each not in BUTTONS.values()]
        context |= {"timeline": read_timeline(job), "title": capfirst(self.opts.verbose_name)}
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            path(f"<job:job_id>/{name}", self._button(action), name=f"job_{name}")
            for name, action in BUTTONS.items()
        ]
        return buttons + super().get_urls()

    def _button(self, action: JobAction) -> Callable[..., HttpResponse]:
        def press(request: HttpRequest, job_id: UUID) -> HttpResponse:
            if not can_do_job_action(request.user, action):
                raise PermissionDenied
            job = get_object_or_404(DownloadJob.objects.select_related("owner"), pk=job_id)
            operator = cast(User, request.user)
            reason = do_job_action(job, BulkAction(action=action, operator=operator, total=1))
            if reason is None:
                log_job_action(operator, [job], action)
                self.message_user(request, f"{action.past}.", messages.SUCCESS)
            else:
                text = f"Nothing was changed. {reason.label}."
                self.message_user(request, text, messages.WARNING)
            return HttpResponseRedirect(reverse("admin:jobs_downloadjob_change", args=[job.pk]))

        return require_POST(self.admin_site.admin_view(press))
