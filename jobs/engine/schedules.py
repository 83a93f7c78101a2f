"""Start the jobs of schedules: when they are due, and at once. The dispatcher and the web call it.

One transaction records the job, the run and when the next one is due. If the process dies before
its commit, nothing has happened, and another dispatcher starts the run.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import structlog
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from rest_framework.exceptions import ValidationError

from jobs.engine import quota
from jobs.engine.submission import REUSED, submit_job
from jobs.errors import BlockedAddress, KeyReused, LimitReached, OwnerBusy, TooManySchedules
from jobs.kinds.registry import KINDS
from jobs.lib.database import DATABASE_UNAVAILABLE, database_time
from jobs.models import DownloadJob, Schedule
from jobs.web.error_responses import first_field_error
from jobs.web.serializers import JobRequest, request_of

log = structlog.get_logger(__name__)

MAX_SCHEDULES = 100  # of one owner
BATCH = 100  # runs, one transaction each, before the dispatcher looks whether it should stop
IDS = UUID("6f0c8f0e-52a9-4f0b-9d3c-0a4d7f6b1c11")  # the namespace of ids that keys make
REQUESTED = ("owner_id", "kind", "name", "request", "cron", "time_zone")
WHEN = {"cron", "time_zone", "is_paused"}
KIND_MISSING = "This kind of download is not installed."
NOT_ALLOWED = "You don't have the permission to request this kind of job."
UNEXPECTED = "An unexpected error. Operators find it in the log of the dispatcher."


def create_schedule(schedule: Schedule, *, key: str = "") -> tuple[Schedule, bool]:
    """Save a new schedule, whose request is valid. Return it, and whether it is new.

    It is not new if the owner created it with the same idempotency `key` before; the key makes its
    id. Raises KeyReused if that one is different, and TooManySchedules.
    """
    if key:
        schedule.pk = uuid5(IDS, f"{schedule.owner_id} {key}")
    with transaction.atomic():
        quota.lock_owners([schedule.owner_id])  # so that two requests cannot both be the last one
        if found := Schedule.objects.filter(pk=schedule.pk).first():
            if any(getattr(found, name) != getattr(schedule, name) for name in REQUESTED):
                raise KeyReused(REUSED)
            return found, False
        if Schedule.objects.filter(owner=schedule.owner_id).count() >= MAX_SCHEDULES:
            raise TooManySchedules(f"You have {MAX_SCHEDULES} schedules. Delete one first.")
        schedule.plan_next_run(database_time())
        schedule.save(force_insert=True)
    return schedule, True


def change_schedule(schedule_id: UUID, **columns: Any) -> bool:
    """Change columns, whose values are valid. Plan the next run if they say when it is.

    Return False if the schedule was deleted meanwhile.
    """
    with transaction.atomic():
        schedule = Schedule.objects.select_for_update().filter(pk=schedule_id).first()
        if schedule is None:
            return False
        changed = {name for name, value in columns.items() if getattr(schedule, name) != value}
        for name in changed:
            setattr(schedule, name, columns[name])
        if changed & WHEN:
            schedule.plan_next_run(database_time())
        schedule.save(update_fields=[*changed, "next_run_at", "updated_at"])
    return True


def validated_request(kind: str, request: Any, owner: User) -> JobRequest:
    """Return the serializer of a request for a job.

    Raises ValidationError, BlockedAddress, and PermissionDenied for a kind that the owner may not
    request.
    """
    if not KINDS[kind].may_request(owner):
        raise PermissionDenied(NOT_ALLOWED)
    serializer = request_of(type(KINDS[kind]))(data=request, context={"owner": owner})
    serializer.is_valid(raise_exception=True)
    return serializer


def run_due_schedules() -> int:
    """Start up to BATCH runs that are due. Return their number, with those that were refused."""
    busy: list[int] = []
    for count in range(BATCH):
        if not _run_next(busy):
            return count
    return BATCH


def _run_next(busy: list[int]) -> bool:
    """Start the run that is due for longest. Return False if none is due.

    Adds an owner whose lock another process holds to `busy`; their runs stay due.
    """
    with transaction.atomic():
        due = Schedule.objects.due().exclude(owner__in=busy)
        if (schedule := due.skip_locked().first()) is None:
            return False
        try:
            with transaction.atomic():
                _run_due(schedule)
        except OwnerBusy:
            busy.append(schedule.owner_id)
    return True


def _run_due(schedule: Schedule) -> None:
    """Start the job, or record why it cannot be. Runs that were missed become this one."""
    due_at, now = schedule.next_run_at, database_time()
    assert due_at is not None  # a due one has it
    key = f"schedule-{schedule.pk}-{due_at:%Y%m%dT%H%M%S}"
    job_id, code, sentence = None, "", ""
    try:
        with transaction.atomic():
            job_id = _submit(schedule, key)[0].pk
    except (OwnerBusy, *DATABASE_UNAVAILABLE):
        raise
    except Exception as error:  # one schedule must not stop the others
        code, sentence = _refusal(error, schedule)
    schedule.record_run(due_at, job_id, code, sentence)
    schedule.plan_next_run(max(now, due_at))
    schedule.save(update_fields=["next_run_at"])
    log.info("schedule_run", schedule_id=str(schedule.pk), job_id=job_id and str(job_id), code=code)


def run_schedule_now(schedule_id: UUID, *, key: str = "") -> tuple[DownloadJob, bool]:
    """Start a job at once, in addition to those that are due. Return it, and whether it is new.

    Raises what `validated_request` and `submit_job` do, and Schedule.DoesNotExist.
    """
    with transaction.atomic():
        rows = Schedule.objects.select_for_update(of=("self",)).select_related("owner")
        schedule = rows.get(pk=schedule_id)
        job, is_new = _submit(schedule, key)
        if is_new:
            schedule.record_run(database_time(), job.pk)
    return job, is_new


def _submit(schedule: Schedule, key: str) -> tuple[DownloadJob, bool]:
    request = validated_request(schedule.kind, schedule.request, schedule.owner)
    return submit_job(
        owner=schedule.owner,
        request_id=f"schedule-{schedule.pk}",  # finds the log lines of its jobs
        key=key,
        **request.submission(),
    )


def _refusal(error: Exception, schedule: Schedule) -> tuple[str, str]:
    """Return the code and the sentence for the owner."""
    match error:
        case LimitReached() | BlockedAddress():
            return error.code, str(error)
        case ValidationError():
            return "invalid", first_field_error(error)
        case PermissionDenied():
            return "permission_denied", str(error)
        case KeyError() if schedule.kind not in KINDS:
            return "kind_missing", KIND_MISSING
    log.exception("schedule failed", schedule_id=str(schedule.pk), exc_info=error)
    return "unexpected", UNEXPECTED
