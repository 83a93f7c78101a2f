"""The admin pages of the outbox: mails and webhooks, and sending them again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from jobs.lib.accounts import account_named
from jobs.models import DownloadJob, Notification
from jobs.operations.admin.cells import short_time, state_cell
from jobs.operations.admin.shared import (
    BULK_LIMIT,
    LISTED,
    OWNER_NAME,
    Chosen,
    KnownValuesFilter,
    NewestPaginator,
    ReadOnly,
    Searched,
)
from jobs.states import Status

# The status of a job that has the same colour.
COLOURS: dict[str, Status] = {
    Notification.State.WAITING: Status.QUEUED,
    Notification.State.SENT: Status.COMPLETED,
    Notification.State.FAILED: Status.FAILED,
}


class StateFilter(KnownValuesFilter):
    title = parameter_name = "state"
    values = Notification.State.values


class ChannelFilter(KnownValuesFilter):
    title = parameter_name = "channel"
    values = Notification.Channel.values


class NotificationInline(ReadOnly, admin.TabularInline[Notification, DownloadJob]):
    """The mails and webhooks of a job, on its page."""

    model = Notification
    verbose_name_plural = "notifications"
    fields = ("channel", "place", "state", "tries", "error", "created_at", "sent_at")
    readonly_fields = fields
    can_delete = False
    show_change_link = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="to")
    def place(self, notification: Notification) -> str:
        return notification.place


class NotificationAdmin(Chosen, Searched, ReadOnly, admin.ModelAdmin[Notification]):
    list_display = [
        "channel", "download", "place", "owner", "outcome", "tries", "short_moment", "error"
    ]  # fmt: skip
    list_filter = [StateFilter, ChannelFilter]
    list_select_related = ["owner", "job"]
    unlisted = ("content", "job__params", "job__metadata")
    list_per_page = 50
    paginator = NewestPaginator
    search_fields = ["job__id", OWNER_NAME]  # as get_search_results does it
    search_help_text = (
        "The beginning of a download's id, or its owner's whole name; states and channels are"
        f" looked for among the newest, and the newest {LISTED:,} are listed."
    )
    show_full_result_count = False
    ordering = ["-created_at"]
    actions = ["send_again_selected"]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    fields = (
        "id", "channel", "place", "owner", "download", "outcome", "tries", "moment", "error",
        "created_at", "content",
    )  # fmt: skip
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        if not (text := search_term.strip()):
            return queryset, False
        if owner := account_named(text):
            return queryset.filter(owner=owner), False
        return queryset.filter(job__in=DownloadJob.objects.found_by(text)), False

    @admin.display(description="to")
    def place(self, notification: Notification) -> str:
        return notification.place

    @admin.display(description="download")
    def download(self, notification: Notification) -> str:
        if not notification.job:
            return "-"
        url = reverse("admin:jobs_downloadjob_change", args=[notification.job.pk])
        return format_html('<a href="{}">{}</a>', url, notification.job.name)

    @admin.display(description="state")
    def outcome(self, notification: Notification) -> str:
        return state_cell(COLOURS[notification.state], notification.get_state_display())

    @admin.display(description="sent or next attempt")
    def short_moment(self, notification: Notification) -> str:
        at = self.moment(notification)
        return short_time(at) if at else "-"

    @admin.display(description="sent or next attempt")
    def moment(self, notification: Notification) -> datetime | None:
        is_waiting = notification.state == Notification.State.WAITING
        return notification.due_at if is_waiting else notification.sent_at

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        is_waiting = context["original"].state == Notification.State.WAITING
        is_offered = not is_waiting and self.has_change_permission(request)
        context["verbs"] = [("send_again", "Send again")] if is_offered else []
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Send again", permissions=["change"])
    def send_again_selected(self, request: HttpRequest, rows: QuerySet[Notification]) -> None:
        self._send_again(request, rows)

    def _send_again(self, request: HttpRequest, rows: QuerySet[Notification]) -> None:
        """Send the oldest BULK_LIMIT again. Waiting ones are skipped: they may be in progress."""
        chosen = list(rows.order_by("created_at").values_list("pk", flat=True)[: BULK_LIMIT + 1])
        queued = Notification.objects.filter(pk__in=chosen[:BULK_LIMIT]).send_again()
        skipped = len(chosen[:BULK_LIMIT]) - queued
        said = f"Queued {queued}, skipped {skipped} already waiting."
        said += f" At most {BULK_LIMIT} at once: others were not changed." * (
            len(chosen) > BULK_LIMIT
        )
        is_all = queued == len(chosen)
        self.message_user(request, said, messages.SUCCESS if is_all else messages.WARNING)

    def get_urls(self) -> list[URLPattern]:
        press = require_POST(self.admin_site.admin_view(self._press))
        button = path("<uuid:pk>/send_again", press, name="notification_send_again")
        return [button, *super().get_urls()]

    def _press(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Notification, pk=pk)
        self._send_again(request, Notification.objects.filter(pk=row.pk))
        return HttpResponseRedirect(reverse("admin:jobs_notification_change", args=[row.pk]))
