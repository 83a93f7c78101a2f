"""The page with the user's schedules: next and last runs; pause, resume, run now, delete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import ValidationError

from jobs.engine.schedules import change_schedule, run_schedule_now
from jobs.errors import BlockedAddress, LimitReached
from jobs.kinds.registry import KINDS
from jobs.models import Schedule, ScheduleRun
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.error_responses import first_field_error
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.schedules import own_schedule

EARLIER = 4  # runs, beside the last one


@dataclass(frozen=True)
class ShownRun:
    """One run: `icon` and `word` are the status of its job, or say that there is none."""

    run: ScheduleRun
    icon: str
    word: str
    when: str


@dataclass(frozen=True)
class ShownSchedule:
    schedule: Schedule
    label: str
    next_run: str
    last: ShownRun | None
    earlier: list[ShownRun]


@require_safe
@sign_in_required
def schedules_page(request: HttpRequest) -> HttpResponse:
    own = Schedule.objects.filter(owner=authenticated_user(request)).defer("request")
    now = timezone.now()
    shown = [_shown(each, now) for each in own.with_runs()]
    return render_page(request, "jobs/schedules.html", {"here": "mine", "schedules": shown})


def _shown(schedule: Schedule, now: datetime) -> ShownSchedule:
    runs = [_shown_run(run, now) for run in list(schedule.runs.all())[: EARLIER + 1]]
    kind, at = KINDS.get(schedule.kind), schedule.next_run_at
    return ShownSchedule(
        schedule=schedule,
        label=kind.label if kind else schedule.kind,
        next_run=wording.moment_text(at, now) if at else "",
        last=runs[0] if runs else None,
        earlier=runs[1:],
    )


def _shown_run(run: ScheduleRun, now: datetime) -> ShownRun:
    icon, word = "failed", "Not started"
    if job := run.kept_job:
        icon, word = wording.status_icon_and_word(job, now)
    elif run.job_id:
        icon, word = "expired", "Deleted"
    return ShownRun(run, icon, word, wording.moment_text(run.due_at, now))


@require_POST
@sign_in_required
def pause_schedule(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    return _change(request, schedule_id, is_paused=True)


@require_POST
@sign_in_required
def resume_schedule(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    return _change(request, schedule_id, is_paused=False)


def _change(request: HttpRequest, schedule_id: UUID, *, is_paused: bool) -> HttpResponse:
    change_schedule(own_schedule(request, schedule_id).pk, is_paused=is_paused)
    return SeeOther(reverse("schedules"))


@require_POST
@sign_in_required
def delete_schedule(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    own_schedule(request, schedule_id).delete()
    messages.success(request, "Schedule deleted.")
    return SeeOther(reverse("schedules"))


@require_POST
@sign_in_required
def run_schedule(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Start a job and redirect to its page, or say on the list why it cannot be."""
    schedule = own_schedule(request, schedule_id)
    try:
        job, _ = run_schedule_now(schedule.pk)
    except ValidationError as error:
        messages.warning(request, first_field_error(error))
    except (LimitReached, BlockedAddress, PermissionDenied) as error:
        messages.warning(request, str(error))
    else:
        return SeeOther(reverse("job-page", args=[job.pk]))
    return SeeOther(reverse("schedules"))


BUTTONS = {  # the last part of the URL that each posts to
    "pause": pause_schedule,
    "resume": resume_schedule,
    "run": run_schedule,
    "delete": delete_schedule,
}
