"""What operators do with jobs from the admin's list: a page that asks, then a bulk action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse

from jobs.engine.bulk_actions import FEW, JOBS_A_SECOND, run_bulk_action
from jobs.errors import NOT_RUN_AGAIN
from jobs.lib.database import database_time
from jobs.models import BulkAction, DownloadJob, JobAction, SkipReason
from jobs.models.job_queryset import JobQuerySet
from jobs.models.permissions import can_do_job_action
from jobs.states import Status
from jobs.terms import USUAL_PRIORITY

PRIORITIES = {
    9: "9 (the most urgent)", USUAL_PRIORITY: f"{USUAL_PRIORITY} (usual)", 0: "0 (the least urgent)"
}  # fmt: skip


TITLES = {JobAction.CHANGE_PRIORITY: "Change the priority of downloads"}


class ConfirmationForm(forms.Form):
    """What the page that asks sends back. The id makes a form that is sent twice one action."""

    bulk_action = forms.UUIDField(widget=forms.HiddenInput)
    previewed_at = forms.DateTimeField(widget=forms.HiddenInput)  # jobs of later are left alone


class PriorityForm(ConfirmationForm):
    priority = forms.TypedChoiceField(
        label="New priority",
        choices=[(n, PRIORITIES.get(n, str(n))) for n in range(9, -1, -1)],
        coerce=int,
        initial=USUAL_PRIORITY,
    )


@dataclass(frozen=True)
class Part:
    """The jobs of one status, or with one reason to skip them."""

    label: str
    jobs: int
    is_skipped: bool


@dataclass(frozen=True)
class Preview:
    """How many jobs an action is for, and how many of these it skips."""

    parts: list[Part]

    @property
    def total(self) -> int:
        return sum(part.jobs for part in self.parts)

    @property
    def possible(self) -> int:
        return sum(part.jobs for part in self.parts if not part.is_skipped)

    @property
    def skipped(self) -> int:
        return self.total - self.possible


def read_preview(action: JobAction, jobs: QuerySet[DownloadJob]) -> Preview:
    """Count the jobs by status. Reads every job that matches."""
    infected = Count("pk", Q(error_code__in=NOT_RUN_AGAIN))
    rows = jobs.order_by().values("status").annotate(jobs=Count("pk"), infected=infected)
    counts = {row["status"]: (row["jobs"], row["infected"]) for row in rows}
    parts = []
    for status in Status:
        matching, with_virus = counts.get(status, (0, 0))
        left_out = with_virus if action == JobAction.RETRY and status in action.statuses else 0
        parts += [
            Part(status.label, matching - left_out, status not in action.statuses),
            Part(f"{status.label}: {SkipReason.INFECTED.label.lower()}", left_out, True),
        ]
    return Preview([part for part in parts if part.jobs])


class JobActions:
    """Mixin for the list of jobs: the actions, each with its permission."""

    @admin.action(description="Retry", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, jobs: QuerySet[DownloadJob]) -> HttpResponse:
        return self._confirm_or_start(request, jobs, JobAction.RETRY)

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, jobs: QuerySet[DownloadJob]) -> HttpResponse:
        return self._confirm_or_start(request, jobs, JobAction.CANCEL)

    @admin.action(description="Change priority", permissions=["change_priority"])
    def change_priority_selected(
        self, request: HttpRequest, jobs: QuerySet[DownloadJob]
    ) -> HttpResponse:
        return self._confirm_or_start(request, jobs, JobAction.CHANGE_PRIORITY)

    # Not "delete", which would show Django's own page for deleting, too.
    @admin.action(description="Delete", permissions=["delete_ended"])
    def delete_selected(self, request: HttpRequest, jobs: QuerySet[DownloadJob]) -> HttpResponse:
        return self._confirm_or_start(request, jobs, JobAction.DELETE)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return can_do_job_action(request.user, JobAction.RETRY)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return can_do_job_action(request.user, JobAction.CANCEL)

    def has_change_priority_permission(self, request: HttpRequest) -> bool:
        return can_do_job_action(request.user, JobAction.CHANGE_PRIORITY)

    def has_delete_ended_permission(self, request: HttpRequest) -> bool:
        return can_do_job_action(request.user, JobAction.DELETE)

    def _confirm_or_start(
        self, request: HttpRequest, jobs: QuerySet[DownloadJob], action: JobAction
    ) -> HttpResponse:
        is_sent = "bulk_action" in request.POST
        form_class = PriorityForm if action == JobAction.CHANGE_PRIORITY else ConfirmationForm
        initial = {"bulk_action": uuid4(), "previewed_at": database_time().isoformat()}
        form = form_class(request.POST if is_sent else None, initial=initial)
        if is_sent and form.is_valid():
            jobs = jobs.filter(created_at__lte=form.cleaned_data["previewed_at"])
            return _start(request, jobs, action, form.cleaned_data)
        return self._ask(request, jobs, action, form)

    def _ask(
        self,
        request: HttpRequest,
        jobs: QuerySet[DownloadJob],
        action: JobAction,
        form: ConfirmationForm,
    ) -> HttpResponse:
        site: Any = self
        context = site.admin_site.each_context(request) | {
            "title": TITLES.get(action, f"{action.label} downloads"),
            "a_second": JOBS_A_SECOND,
            "action": action,
            "few": FEW,
            "filters": filters_text(request.GET.urlencode()),
            "form": form,
            "is_all": request.POST.get("select_across") == "1",
            "opts": site.opts,
            "preview": read_preview(action, jobs),
            "selected": request.POST.getlist("_selected_action"),
        }
        template = "admin/jobs/downloadjob/confirm_action.html"
        return TemplateResponse(request, template, context)


def _start(
    request: HttpRequest, jobs: QuerySet[DownloadJob], action: JobAction, cleaned: dict[str, Any]
) -> HttpResponse:
    assert isinstance(jobs, JobQuerySet)  # from the model's only manager
    operator = cast(User, request.user)
    bulk = BulkAction.objects.start(
        jobs,
        action,
        operator,
        bulk_id=cleaned["bulk_action"],
        priority=cleaned.get("priority"),
        query=request.GET.urlencode() if request.POST.get("select_across") == "1" else "",
    )
    log_bulk_action(operator, bulk, "Started.")
    if bulk.total <= FEW:
        run_bulk_action(bulk)
    return HttpResponseRedirect(reverse("admin:jobs_bulkaction_change", args=[bulk.pk]))


def log_bulk_action(operator: User, bulk: BulkAction, text: str) -> None:
    """Add a line to the admin's log."""
    LogEntry.objects.create(
        user_id=operator.pk,
        content_type=ContentType.objects.get_for_model(BulkAction),
        object_id=str(bulk.pk),
        object_repr=str(bulk)[:200],
        action_flag=CHANGE,
        change_message=text,
    )


def filters_text(query: str) -> str:
    """Return the filters of a query string as text: 'status: failed, kind: remote'."""
    names = {"q": "search", "status__exact": "status"}
    filters = [
        (names.get(name, name.replace("_", " ")), ", ".join(map(str, values)))
        for name, values in QueryDict(query).lists()
        if name not in {"p", "o"}  # page and order
    ]
    return "; ".join(f"{name}: {value}" for name, value in filters)
