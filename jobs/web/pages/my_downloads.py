"""The list "My files": those in progress first, then finished ones, newest first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.http import require_http_methods, require_safe

from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.states import ACTIVE, FINAL, Status
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.own_job import own_job
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.deletions import deletion_context
from jobs.web.pages.polling import PolledJob, poll_fragment, polled_job
from jobs.web.pages.previews import prefetch_previews
from jobs.web.pages.rendering import render_page
from jobs.web.pagination import Position, first_page_rows, paginate_newest
from jobs.web.searching import searching

SHOWN = 25  # finished downloads on a page
PINNED = 25  # in progress, above the finished ones; the filter "In progress" pages through all

STATES: dict[str, tuple[str, frozenset[Status]]] = {
    "active": ("In progress", ACTIVE),
    "completed": ("Ready", frozenset({Status.COMPLETED})),
    "failed": ("Failed", frozenset({Status.FAILED})),
    "ended": ("Cancelled or expired", frozenset({Status.CANCELLED, Status.EXPIRED})),
}


def _kinds() -> list[tuple[str, str]]:
    return [(name, kind.label) for name, kind in KINDS.items()]


class JobFilterForm(forms.Form):
    """The filters and the position of the page. A value that is not valid is ignored."""

    search = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False, choices=[(name, name) for name in STATES])
    kind = forms.ChoiceField(required=False, choices=_kinds)
    after = forms.UUIDField(required=False)
    before = forms.UUIDField(required=False)


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def my_downloads(request: HttpRequest) -> HttpResponse:
    return _submit(request) if request.method == "POST" else _list(request)


def _submit(request: HttpRequest) -> HttpResponse:
    """Call the view of the kind whose form is posted to this page."""
    for kind in KINDS.values():
        if kind.downloads_post_view:
            response: HttpResponse = import_string(kind.downloads_post_view)(request)
            return response
    return HttpResponseNotAllowed(["GET", "HEAD"])


@require_safe
@sign_in_required
def my_downloads_row(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Render a row of the list, to replace the old one; 204 if it has not changed."""
    view = polled_job(own_job(request, job_id), timezone.now())
    # The title of the list has the number of jobs in progress; other pages may have rows, too.
    page_url = request.htmx.current_url_abs_path or ""  # type: ignore[attr-defined]
    in_list = page_url.partition("?")[0] in ("", reverse("downloads"))
    return poll_fragment(
        request, view, "jobs/_row_polled.html", lambda: {"in_list": in_list, "selects": in_list}
    )


def _list(request: HttpRequest) -> HttpResponse:
    filters = _filters(request)
    # `params` stay in the database: they have up to 100,000 numbers.
    jobs = DownloadJob.objects.of_owner(authenticated_user(request).pk).defer("params")
    statuses = STATES[filters["status"]][1] if filters["status"] else FINAL
    positions = {side: _position(jobs, filters[side]) for side in ("after", "before")}
    is_first_page = not any(filters[name] for name in ("status", "after", "before"))
    with searching(request, filters["search"]):
        matching = _matching(jobs.select_related("artifact"), filters)
        pinned = _pinned(matching) if is_first_page else []
        parts, order = matching.by_status(statuses), ("created_at", "pk")
        found = paginate_newest(parts, order, SHOWN, **positions)
    prefetch_previews(found.rows)
    wording.prefetch_waiting_for([*pinned, *found.rows])
    groups = _groups(pinned[:PINNED], found.rows)
    context = {
        "here": "mine",
        "filters": filters,
        "found": found,
        "groups": groups,
        "has_live": any(view.poll_seconds for _, rows in groups for view in rows),
        "has_more_pinned": len(pinned) > PINNED,
        "is_filtered": any(filters.values()),
        "states": [("", "All"), *((value, word) for value, (word, _) in STATES.items())],
        "kinds": _kinds(),
        **deletion_context(request),
        "has_finished": any(view.job.is_finished for _, rows in groups for view in rows),
        "has_expired": jobs.filter(status=Status.EXPIRED).exists(),
        "query": request.GET.urlencode(),
    }
    return render_page(request, "jobs/downloads.html", context)


def _filters(request: HttpRequest) -> dict[str, Any]:
    """Return the valid filters of the query; empty text for the others."""
    form = JobFilterForm(request.GET)
    form.is_valid()
    return {name: form.cleaned_data.get(name) or "" for name in form.fields}


def _matching(jobs: JobQuerySet, filters: dict[str, Any]) -> JobQuerySet:
    """Filter by name and kind. Neither has an index, so only the newest jobs are searched."""
    if filters["search"]:
        jobs = jobs.found_by(filters["search"])
    return jobs.of_kind(filters["kind"]) if filters["kind"] else jobs


def _pinned(jobs: JobQuerySet) -> list[DownloadJob]:
    return first_page_rows(jobs.by_status(ACTIVE), ("-created_at", "-pk"), PINNED + 1)


def _position(jobs: JobQuerySet, job_id: UUID | str) -> Position | None:
    """Return the position of a job in the list; None if it is not there."""
    found = jobs.filter(pk=job_id).values("created_at", "pk").first() if job_id else None
    return dict(found) if found else None


def _groups(
    pinned: list[DownloadJob], paged: list[DownloadJob]
) -> list[tuple[str, list[PolledJob]]]:
    """Return the rows under their headings, without empty ones."""
    now = timezone.now()
    groups: dict[str, list[PolledJob]] = {"In progress": [], "Today": [], "Earlier": []}
    groups["In progress"] = [polled_job(job, now) for job in pinned]
    for job in paged:
        day = "Today" if wording.is_today(job.created_at, now) else "Earlier"
        groups["In progress" if not job.is_finished else day].append(polled_job(job, now))
    return [(heading, rows) for heading, rows in groups.items() if rows]
