"""The history of a job, as a table on its admin page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from jobs.models import DownloadJob, JobEvent
from jobs.operations.admin.shared import (
    ReadOnly,
)
from jobs.web import converters as converters  # registers `<job:...>`


class HistoryInline(ReadOnly, admin.TabularInline[JobEvent, DownloadJob]):
    model = JobEvent
    verbose_name_plural = "history"
    fields = ("moment", "by", "code", "trace")
    readonly_fields = fields
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="at")
    def moment(self, event: JobEvent) -> str:
        return f"{event.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="detail")
    def trace(self, event: JobEvent) -> str:
        """Return the detail; of a traceback the last line, with the rest folded."""
        *above, last = event.detail.strip().splitlines() or ["-"]
        if not above:
            return last
        return format_html(
            "<details><summary>{}</summary><pre>{}</pre></details>", last, event.detail
        )
