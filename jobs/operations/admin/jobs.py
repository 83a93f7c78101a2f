"""The admin pages of jobs: their history, run again, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from jobs.engine.submission import resubmit_job
from jobs.errors import NOT_RUN_AGAIN, StaleJob
from jobs.lib.accounts import account_named
from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.models.newest import SEARCHED
from jobs.models.permissions import can_cancel_all_jobs, can_retry_all_jobs
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
    BULK_LIMIT,
    LISTED,
    OWNER_NAME,
    Chosen,
    NewestPaginator,
    ReadOnly,
    Searched,
)
from jobs.states import Actor, Event
from jobs.web import converters as converters  # registers `<job:...>`

Verb = Callable[[DownloadJob], None]


def run_admin_job_again(job: DownloadJob) -> None:
    """Run the job again, as an operator. Raises StaleJob."""
    if job.error_code in NOT_RUN_AGAIN:
        raise StaleJob("A virus was found in the file.")
    resubmit_job(job, Actor.OPERATOR)


def cancel_admin_job(job: DownloadJob) -> None:
    """Cancel the job, as an operator. Raises StaleJob."""
    job.cancel(Actor.OPERATOR)


class JobAdmin(Chosen, Searched, ReadOnly, JobColumns, admin.ModelAdmin[DownloadJob]):
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
    actions = ["run_again_selected", "cancel_selected"]
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
                    "priority", "run_at", "dependencies", "dependent_jobs", "email", "webhook_host",
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
                    "created_at", "available_at", "published_at", "started_at", "updated_at",
                    "finished_at", "expires_at",
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
        return queryset.found_by(text), False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        job: DownloadJob = context["original"]
        buttons = [
            ("run_again", "Retry", Event.REQUEUE, can_retry_all_jobs),
            ("cancel", "Cancel", Event.CANCEL, can_cancel_all_jobs),
        ]
        context["verbs"] = [
            (url, word)
            for url, word, event, is_allowed in buttons
            if is_allowed(request.user)
            and job.allows(event)
            and not (event == Event.REQUEUE and job.error_code in NOT_RUN_AGAIN)
        ]
        context |= {"timeline": read_timeline(job), "title": capfirst(self.opts.verbose_name)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return can_retry_all_jobs(request.user)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return can_cancel_all_jobs(request.user)

    # Actions on many, bounded, and buttons on one

    @admin.action(description="Retry", permissions=["retry"])
    def run_again_selected(self, request: HttpRequest, jobs: QuerySet[DownloadJob]) -> None:
        self._do(request, jobs, run_admin_job_again, "Queued")

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, jobs: QuerySet[DownloadJob]) -> None:
        self._do(request, jobs, cancel_admin_job, "Cancelled")

    def _do(self, request: HttpRequest, jobs: QuerySet[DownloadJob], verb: Verb, word: str) -> None:
        """Apply the verb to the oldest BULK_LIMIT jobs. Show how many were skipped.

        The log of the admin names the operator of each.
        """
        done, skipped = [], 0
        chosen = jobs.select_related("owner").order_by("created_at")
        # Before the moves, which may empty a filter; bounded, because all jobs may match.
        counted = jobs.order_by()[: LISTED + BULK_LIMIT].count()
        for job in chosen[:BULK_LIMIT]:
            try:
                verb(job)
                done.append(job)
            except StaleJob:
                skipped += 1
        if done:
            self.log_changes(request, done, f"{word}.")
        text = f"{word} {len(done)}, skipped {skipped} in another state."
        left = max(counted - BULK_LIMIT, 0)
        more = f"{left:,}+" if left >= LISTED else f"{left:,}"
        text += f" {more} more were not changed: at most {BULK_LIMIT} at once." if left else ""
        level = messages.WARNING if skipped or left else messages.SUCCESS
        self.message_user(request, text, level)

    def log_changes(self, request: HttpRequest, jobs: list[DownloadJob], text: str) -> None:
        """Add a line to the admin's log for each job, in one statement."""
        assert request.user.pk  # a signed-in operator
        LogEntry.objects.bulk_create(
            LogEntry(
                user_id=request.user.pk,
                content_type=ContentType.objects.get_for_model(DownloadJob),
                object_id=str(job.pk),
                object_repr=str(job)[:200],
                action_flag=CHANGE,
                change_message=text,
            )
            for job in jobs
        )

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            path(f"<job:job_id>/{name}", self._button(verb, word, allowed), name=f"job_{name}")
            for name, verb, word, allowed in [
                ("run_again", run_admin_job_again, "Queued", self.has_retry_permission),
                ("cancel", cancel_admin_job, "Cancelled", self.has_cancel_permission),
            ]
        ]
        return buttons + super().get_urls()

    def _button(
        self, verb: Verb, word: str, allowed: Callable[[HttpRequest], bool]
    ) -> Callable[..., HttpResponse]:
        def press(request: HttpRequest, job_id: UUID) -> HttpResponse:
            if not allowed(request):
                raise PermissionDenied
            job = get_object_or_404(DownloadJob, pk=job_id)
            self._do(request, DownloadJob.objects.filter(pk=job.pk), verb, word)
            return HttpResponseRedirect(reverse("admin:jobs_downloadjob_change", args=[job.pk]))

        return require_POST(self.admin_site.admin_view(press))
