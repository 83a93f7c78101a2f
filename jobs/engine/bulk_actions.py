"""Do what an operator asked for, with one job or a batch of many. The admin and dispatcher call it.

A batch is one transaction with its part of the report. So a process that dies leaves the batch to
the next one, and each job is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import structlog
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from jobs.engine import quota
from jobs.engine.submission import requeue_job, ring_if_due
from jobs.errors import NOT_RUN_AGAIN, StaleJob
from jobs.kinds.registry import KINDS
from jobs.lib.database import DATABASE_UNAVAILABLE, database_time
from jobs.models import BulkAction, DownloadJob, JobAction, Notification, SkipReason
from jobs.models.bulk_action import BATCH, BulkActionQuerySet
from jobs.states import Actor

log = structlog.get_logger(__name__)

# Of all bulk actions and dispatchers together: workers and requests need the database, too.
JOBS_A_SECOND = 200
# An action on no more jobs is done in the request, rings at once, and is in the admin's log for
# each job. Otherwise the dispatcher rings as fast as workers take jobs.
FEW = 100


def run_bulk_action(action: BulkAction) -> None:
    """Do an action on a few jobs at once."""
    for _ in range(0, action.total, BATCH):
        advance_bulk_action(BulkAction.objects.running().filter(pk=action.pk))


def advance_bulk_action(actions: BulkActionQuerySet | None = None) -> int:
    """Handle the next batch of a bulk action. Return the number of its jobs.

    Without `actions`, of the one that is due. Several dispatchers may call it at the same time.
    """
    due = BulkAction.objects.due() if actions is None else actions
    with transaction.atomic():
        action = due.locked().first()
        return _handle_batch(action) if action else 0


def _handle_batch(action: BulkAction) -> int:
    since = database_time()
    batch = action.batches.first()
    ids = batch.job_ids if batch else []
    done: list[DownloadJob] = []
    skipped: list[tuple[UUID, SkipReason]] = []
    for job in _lock_jobs(JobAction(action.action), ids):
        if reason := do_job_action(job, action):
            skipped.append((job.pk, reason))
        else:
            done.append(job)
    handled = {job.pk for job in done} | {pk for pk, _ in skipped}
    skipped += _of_other_status([pk for pk in ids if pk not in handled])
    if batch:
        batch.delete()
    if action.total <= FEW and action.operator:
        log_job_action(action.operator, done, JobAction(action.action))
    # Each of the actions that are running gets its share.
    pause = timedelta(seconds=BATCH / JOBS_A_SECOND) * BulkAction.objects.running().count()
    action.record(done=len(done), skipped=skipped, due_at=since + pause)
    return len(ids)


def _lock_jobs(action: JobAction, ids: list[UUID]) -> Iterable[DownloadJob]:
    """Lock the jobs in whose status the action is possible. Other processes wait for them.

    In the same order for every batch, and after the locks of their owners, as requests do: so no
    two transactions wait for each other.
    """
    jobs = DownloadJob.objects.filter(pk__in=ids, status__in=action.statuses)
    if action == JobAction.RETRY:
        quota.lock_owners(jobs.values_list("owner_id", flat=True))
    locked = jobs.select_for_update(of=("self",)).select_related("owner")
    return list(locked.order_by("owner_id", "created_at", "pk"))


def _of_other_status(ids: list[UUID]) -> list[tuple[UUID, SkipReason]]:
    statuses = dict(DownloadJob.objects.filter(pk__in=ids).values_list("pk", "status"))
    return [(pk, SkipReason(statuses.get(pk, SkipReason.DELETED))) for pk in ids]


def do_job_action(job: DownloadJob, action: BulkAction) -> SkipReason | None:
    """Do the action with the job. Return why not, or None."""
    if reason := _skip_reason(job, action):
        return reason
    try:
        with transaction.atomic():
            _do(job, action)
    except StaleJob:
        job.refresh_from_db(fields=["status"])
        return SkipReason(job.status)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:  # one job must not stop the others
        log.exception("bulk action failed", job_id=str(job.pk), action=action.action)
        return SkipReason.ERROR
    return None


def _skip_reason(job: DownloadJob, action: BulkAction) -> SkipReason | None:
    chosen = JobAction(action.action)
    if job.status not in chosen.statuses:
        return SkipReason(job.status)
    if job.kind not in KINDS and chosen != JobAction.CANCEL:
        return SkipReason.KIND_MISSING
    if chosen == JobAction.RETRY and job.error_code in NOT_RUN_AGAIN:
        return SkipReason.INFECTED
    if chosen == JobAction.CHANGE_PRIORITY and job.priority == action.priority:
        return SkipReason.SAME_PRIORITY
    if chosen == JobAction.DELETE:
        if DownloadJob.objects.dependents_of(job.pk).unfinished().exists():
            return SkipReason.NEEDED
        if Notification.objects.waiting().filter(job=job).exists():
            return SkipReason.NOT_NOTIFIED
    return None


def _do(job: DownloadJob, action: BulkAction) -> None:
    by = action.operator.get_username() if action.operator else ""
    match JobAction(action.action):
        case JobAction.RETRY:
            requeue_job(job, Actor.OPERATOR, detail=by)
            if action.total <= FEW:
                ring_if_due(job)
        case JobAction.CANCEL:
            job.cancel(Actor.OPERATOR, detail=by)
        case JobAction.CHANGE_PRIORITY:
            assert action.priority is not None  # the form requires it
            job.change_priority(action.priority, detail=by)
            if action.total <= FEW:
                ring_if_due(job)
        case JobAction.DELETE:
            job.delete_ended()
            log.info("deleted", job_id=str(job.pk), kind=job.kind, by=Actor.OPERATOR.value)


def log_job_action(operator: User, jobs: Iterable[DownloadJob], action: JobAction) -> None:
    """Add a line to the admin's log for each job, in one statement."""
    content_type = ContentType.objects.get_for_model(DownloadJob)
    LogEntry.objects.bulk_create(
        LogEntry(
            user_id=operator.pk,
            content_type=content_type,
            object_id=str(job.pk),
            object_repr=str(job)[:200],
            action_flag=DELETION if action == JobAction.DELETE else CHANGE,
            change_message=f"{action.past}.",
        )
        for job in jobs
    )
