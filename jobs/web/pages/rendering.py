"""Render a page inside the frame that all pages share, and redirect after a form."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from jobs.models import DownloadJob
from jobs.web.authentication import authenticated_user

MAX_COUNTED = 99  # next to "My files"; more is "99+"


class SeeOther(HttpResponseRedirect):
    """303: the browser follows it with GET, as after a form."""

    status_code = 303


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Render a page or a fragment. The context also has `active`, the number of active jobs."""

    @cache  # counted when a template needs it; most polls do not
    def active() -> str:
        unfinished = DownloadJob.objects.filter(owner=authenticated_user(request)).unfinished()
        count = unfinished[: MAX_COUNTED + 1].count()
        return f"{MAX_COUNTED}+" if count > MAX_COUNTED else str(count or "")

    return render(request, template, {"active": active} | context, status=status)
