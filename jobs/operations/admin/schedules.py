"""The admin pages of schedules: the last runs of all owners; change, pause, resume, delete."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from jobs.engine.schedules import change_schedule
from jobs.lib.cron import CronError, is_time_zone, validated_cron
from jobs.models import Schedule, ScheduleRun
from jobs.models.schedule import ScheduleQuerySet
from jobs.operations.admin.cells import short_time
from jobs.operations.admin.shared import OWNER_NAME, Chosen, Filtered, NewestPaginator, ReadOnly

WHEN = ["name", "cron", "time_zone", "is_paused"]  # what operators may change


class ScheduleForm(forms.ModelForm[Schedule]):
    class Meta:
        model = Schedule
        fields = WHEN

    def clean_cron(self) -> str:
        try:
            return validated_cron(self.cleaned_data["cron"])
        except CronError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if not is_time_zone(name):
            raise forms.ValidationError("Use a name such as Europe/Berlin.")
        return name


class RunInline(ReadOnly, admin.TabularInline[ScheduleRun, Schedule]):
    """The last runs of a schedule, on its page."""

    model = ScheduleRun
    verbose_name_plural = "last runs"
    fields = ("due_at", "download", "error_code", "error", "created_at")
    readonly_fields = fields
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduleRun]:
        return super().get_queryset(request).select_related("job").defer("job__params")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="download")
    def download(self, run: ScheduleRun) -> str:
        return run_text(run)


class ScheduleAdmin(Chosen, Filtered, admin.ModelAdmin[Schedule]):
    form = ScheduleForm
    list_display = ["name", "owner", "kind", "cron", "time_zone", "next_run", "last_run"]
    list_filter = ["is_paused", "kind"]
    list_select_related = ["owner"]
    unlisted = ("request",)
    list_per_page = 50
    paginator = NewestPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["name", OWNER_NAME]
    ordering = ["-created_at"]
    sortable_by = ["next_run"]
    actions = ["pause_selected", "resume_selected"]
    fields = ["owner", "kind", *WHEN, "meaning", "next_run_at", "request", "created_at"]
    readonly_fields = ["owner", "kind", "meaning", "next_run_at", "request", "created_at"]
    inlines = [RunInline]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the API validates the request

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        rows = super().get_queryset(request)
        assert isinstance(rows, ScheduleQuerySet)  # the model's manager
        return rows.with_runs()

    @admin.display(description="next run", ordering="next_run_at")
    def next_run(self, schedule: Schedule) -> str:
        if schedule.is_paused:
            return "Paused"
        return short_time(schedule.next_run_at) if schedule.next_run_at else "-"

    @admin.display(description="last run")
    def last_run(self, schedule: Schedule) -> str:
        return next((run_text(run) for run in schedule.runs.all()), "-")

    @admin.display(description="meaning")
    def meaning(self, schedule: Schedule) -> str:
        return f"{schedule.cron_text}, {schedule.time_zone}"

    def save_model(
        self, request: HttpRequest, obj: Schedule, form: forms.ModelForm[Schedule], change: bool
    ) -> None:
        change_schedule(obj.pk, **{name: form.cleaned_data[name] for name in form.changed_data})
        obj.refresh_from_db()

    @admin.action(description="Pause", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._change(request, queryset.filter(is_paused=False), "Paused", is_paused=True)

    @admin.action(description="Resume", permissions=["change"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._change(request, queryset.filter(is_paused=True), "Resumed", is_paused=False)

    def _change(
        self, request: HttpRequest, rows: QuerySet[Schedule], done: str, *, is_paused: bool
    ) -> None:
        count = 0
        for schedule in list(rows):
            if change_schedule(schedule.pk, is_paused=is_paused):
                self.log_change(request, schedule, f"{done}.")
                count += 1
        self.message_user(request, f"{done} {count}.", messages.SUCCESS)


def run_text(run: ScheduleRun) -> str:
    """Return a link to the job of a run, with its status, or why there is none."""
    if not run.job:
        return "Deleted" if run.job_id else run.error_code
    url = reverse("admin:jobs_downloadjob_change", args=[run.job_id])
    return format_html('<a href="{}">{}</a>', url, run.job.get_status_display())
