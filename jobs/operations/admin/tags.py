"""The template tags of the admin: `{% load operators %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import RequestContext
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.models.permissions import can_view_all_jobs
from jobs.operations.overview.page import Overview, read_overview
from jobs.operations.overview.texts import moment_text, seconds_text, share_text

register = template.Library()


@register.simple_tag(takes_context=True, name="read_overview")
def read_overview_tag(context: RequestContext) -> Overview | None:
    """Return the overview, or None for staff who may not see jobs."""
    request = context["request"]
    return read_overview(request.GET) if can_view_all_jobs(request.user) else None


@register.filter(name="ago")
def ago_filter(at: Any, now: Any) -> str:
    """Return '24 s ago' or '3 days ago'."""
    return f"{seconds_text(max((now - at).total_seconds(), 0))} ago" if at else ""


@register.filter(name="moment")
def moment_filter(at: Any, now: Any) -> str:
    """Return '22:05:12', with the day before it unless it is today."""
    return moment_text(at, now) if at else ""


@register.filter(name="share")
def share_filter(share: float) -> str:
    """Return '1.9 %'."""
    return share_text(share)


@register.simple_tag(name="number")
def number_tag(count: int, link: str) -> SafeString:
    """Return the number with a link to what it counts; 0 has no link."""
    if not count:
        return SafeString('<span class="none">0</span>')
    return format_html('<a href="{}">{}</a>', link, f"{count:,}")


@register.simple_tag(name="columns")
def columns_tag(names: str) -> SafeString:
    """Return the header cells of a table, from "Name|#Number": numbers are aligned to the right."""
    cells = [
        (' class="n"' if name[0] == "#" else "", name.lstrip("#")) for name in names.split("|")
    ]
    return format_html_join(
        "", '<th scope="col"{}>{}</th>', ((SafeString(kind), name) for kind, name in cells)
    )
