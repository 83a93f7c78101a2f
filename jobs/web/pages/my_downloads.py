"""My downloads: those in progress first, then the finished ones, newest first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.states import ACTIVE, FINAL, Status
from jobs.web import wording
from jobs.web.api_responses import caller, own_job
from jobs.web.pages.choose import ask
from jobs.web.pages.polling import Live, answer, watched
from jobs.web.pages.previews import read_ahead
from jobs.web.pages.shared import Place, first, newest, page, signed_in
from jobs.web.searching import searching

SHOWN = 25  # downloads on one page
PINNED = 25  # in progress, above the finished ones; the filter "In progress" pages through all

STATES: dict[str, tuple[str, frozenset[Status]]] = {
    "active": ("In progress", ACTIVE),
    "completed": ("Ready", frozenset({Status.COMPLETED})),
    "failed": ("Failed", frozenset({Status.FAILED})),
    "ended": ("Cancelled or expired", frozenset({Status.CANCELLED, Status.EXPIRED})),
}
KINDS = [(name, texts.label) for name, texts in wording.KINDS.items()]


class Filters(forms.Form):
    """What is looked for. What is not valid is as if it were not there."""

    search = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False, choices=[(name, name) for name in STATES])
    kind = forms.ChoiceField(required=False, choices=KINDS)
    after = forms.UUIDField(required=False)
    before = forms.UUIDField(required=False)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def downloads(request: HttpRequest) -> HttpResponse:
    return ask(request) if request.method == "POST" else _list(request)


@require_safe
@signed_in
def row(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """One row, to put in the place of the old one."""
    live = watched(own_job(request, job_id), timezone.now())
    # Only the list is called by what is in progress; rows are on the page for uploads, too.
    seen_at = request.htmx.current_url_abs_path or ""  # type: ignore[attr-defined]
    in_list = not seen_at.startswith(reverse("upload"))
    return answer(request, live, "jobs/_row_polled.html", lambda: {"in_list": in_list})


def _list(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    # Their params stay in the database: up to 100,000 numbers each.
    mine = DownloadJob.objects.filter(owner=caller(request)).defer("params")
    statuses = STATES[asked["status"]][1] if asked["status"] else FINAL
    places = {side: _place(mine, asked[side]) for side in ("after", "before")}
    is_begin = not any(asked[name] for name in ("status", "after", "before"))
    with searching(request, asked["search"]):
        matching = _matching(mine.select_related("artifact"), asked)
        pinned = _pinned(matching) if is_begin else []
        found = newest(matching.by_status(statuses), ("created_at", "pk"), SHOWN, **places)
    read_ahead(found.rows)
    wording.read_ahead([*pinned, *found.rows])
    groups = _groups(pinned[:PINNED], found.rows)
    context = {
        "here": "mine",
        "filters": asked,
        "found": found,
        "groups": groups,
        "has_live": any(live.poll_seconds for _, rows in groups for live in rows),
        "has_more_pinned": len(pinned) > PINNED,
        "is_filtered": any(asked.values()),
        "states": [("", "All"), *((value, word) for value, (word, _) in STATES.items())],
        "kinds": KINDS,
    }
    return page(request, "jobs/downloads.html", context)


def _asked(request: HttpRequest) -> dict[str, Any]:
    form = Filters(request.GET)
    form.is_valid()
    return {name: form.cleaned_data.get(name) or "" for name in form.fields}


def _matching(jobs: JobQuerySet, asked: dict[str, Any]) -> JobQuerySet:
    """Names and kinds, which no index has, are looked for among the newest."""
    if asked["search"]:
        jobs = jobs.found_by(asked["search"])
    return jobs.of_kind(asked["kind"]) if asked["kind"] else jobs


def _pinned(jobs: JobQuerySet) -> list[DownloadJob]:
    return first(jobs.by_status(ACTIVE), ("-created_at", "-pk"), PINNED + 1)


def _place(mine: JobQuerySet, job_id: UUID | str) -> Place | None:
    """Where a job of mine stands in the order; nothing for one that is not there."""
    found = mine.filter(pk=job_id).values("created_at", "pk").first() if job_id else None
    return dict(found) if found else None


def _groups(pinned: list[DownloadJob], paged: list[DownloadJob]) -> list[tuple[str, list[Live]]]:
    """Rows under headings, empty ones left out."""
    now = timezone.now()
    groups: dict[str, list[Live]] = {"In progress": [], "Today": [], "Earlier": []}
    groups["In progress"] = [watched(job, now) for job in pinned]
    for job in paged:
        day = "Today" if wording.is_today(job.created_at, now) else "Earlier"
        groups["In progress" if not job.is_finished else day].append(watched(job, now))
    return [(heading, rows) for heading, rows in groups.items() if rows]
