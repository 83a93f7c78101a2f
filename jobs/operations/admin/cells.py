"""Cells of the admin's lists: a state with its colour, a short time."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.html import format_html


def state_cell(name: str, text: str) -> str:
    """Return a state in the colour that admin.css gives it."""
    return format_html('<span class="job-state is-{}">{}</span>', name, text)


def exact_time(at: datetime | None) -> str:
    """Return a local time with seconds, as in the timeline of a job: '30 Nov 2026 22:15:04'."""
    return date_format(timezone.localtime(at), "j M Y H:i:s") if at else "-"


def short_time(at: datetime) -> str:
    """Return a local time, without the year if it is this one."""
    local = timezone.localtime(at)
    year = "" if local.year == timezone.localtime().year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M}"
