"""The admin pages of bulk actions: their progress, their reports, and stopping one."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from jobs.engine.bulk_actions import JOBS_A_SECOND
from jobs.models import BulkAction, DownloadJob, JobAction, SkipReason
from jobs.models.permissions import can_do_job_action, can_view_all_jobs
from jobs.operations.admin.job_actions import filters_text, log_bulk_action
from jobs.operations.admin.shared import NewestPaginator, ReadOnly
from jobs.operations.overview.links import jobs_link
from jobs.operations.overview.texts import seconds_text

STATES = {  # of a bulk action: the colour of a job in this state
    BulkAction.State.RUNNING: "processing",
    BulkAction.State.COMPLETED: "completed",
    BulkAction.State.STOPPED: "cancelled",
}


class BulkActionAdmin(ReadOnly, admin.ModelAdmin[BulkAction]):
    list_display = ["what", "state_text", "progress", "changed", "skips", "operator", "started"]
    list_filter = ["state", "action"]
    list_select_related = ["operator"]
    list_per_page = 50
    paginator = NewestPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ["started"]
    actions = None
    change_form_template = "admin/jobs/bulkaction/change_form.html"
    fields = ["action"]
    readonly_fields = ["action"]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can_view_all_jobs(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return can_view_all_jobs(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="bulk action")
    def what(self, bulk: BulkAction) -> str:
        return str(bulk)

    @admin.display(description="state", ordering="state")
    def state_text(self, bulk: BulkAction) -> str:
        colour = STATES[BulkAction.State(bulk.state)]
        text = bulk.get_state_display()
        return format_html('<span class="job-state is-{}">{}</span>', colour, text)

    @admin.display(description="progress")
    def progress(self, bulk: BulkAction) -> str:
        return f"{bulk.handled / bulk.total:.0%}" if bulk.total else "100%"

    @admin.display(description="done")
    def changed(self, bulk: BulkAction) -> str:
        return f"{bulk.done:,}"

    @admin.display(description="skipped")
    def skips(self, bulk: BulkAction) -> str:
        return f"{bulk.skipped_count:,}"

    @admin.display(description="started", ordering="created_at")
    def started(self, bulk: BulkAction) -> str:
        return date_format(timezone.localtime(bulk.created_at), "j M Y H:i")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        bulk: BulkAction = context["original"]
        context |= {
            "title": "Bulk action",
            "subtitle": str(bulk),
            "bulk": bulk,
            "past": JobAction(bulk.action).past,
            "left_text": _time_left(bulk),
            "filters": filters_text(bulk.query),
            "list_url": f"{jobs_link()}?{bulk.query}" if bulk.query else jobs_link(),
            "reasons": _reasons(bulk),
            "skipped_jobs": _skipped_jobs(bulk),
            "may_stop": bulk.is_running and can_do_job_action(request.user, JobAction(bulk.action)),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        stop = require_POST(self.admin_site.admin_view(self._stop))
        return [path("<uuid:pk>/stop", stop, name="bulk_action_stop"), *super().get_urls()]

    def _stop(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        bulk = get_object_or_404(BulkAction, pk=pk)
        if not can_do_job_action(request.user, JobAction(bulk.action)):
            raise PermissionDenied
        if bulk.stop():
            log_bulk_action(cast(User, request.user), bulk, "Stopped.")
        else:
            self.message_user(request, "It has ended already.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:jobs_bulkaction_change", args=[pk]))


def _time_left(bulk: BulkAction) -> str:
    """Return 'about 5 min', from how fast it was so far."""
    if not bulk.is_running:
        return ""
    seconds = (timezone.now() - bulk.created_at).total_seconds()
    speed = bulk.handled / seconds if bulk.handled and seconds > 0 else JOBS_A_SECOND
    return f"about {seconds_text(bulk.left / speed)}"


def _reasons(bulk: BulkAction) -> list[tuple[str, int]]:
    """Return why jobs were skipped, the most frequent reason first."""
    counts = sorted(bulk.skipped.items(), key=lambda item: -item[1])
    return [(SkipReason(reason).label, count) for reason, count in counts]


def _skipped_jobs(bulk: BulkAction) -> list[tuple[str, str, str]]:
    """Return the id, the name and the reason of each skipped job that is listed.

    A job that was deleted has no name.
    """
    ids = [pk for pk, _ in bulk.skipped_jobs]
    names = {str(job.pk): job.name for job in DownloadJob.objects.filter(pk__in=ids).only("name")}
    return [(pk, names.get(pk, ""), SkipReason(reason).label) for pk, reason in bulk.skipped_jobs]
