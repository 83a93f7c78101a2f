"""Submit a new job, or run a finished one again."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction

from jobs.engine import quota
from jobs.engine import submission_sql as sql
from jobs.engine.doorbell import ring_doorbell_after_commit
from jobs.errors import NOT_RUN_AGAIN, KeyReused, StaleJob
from jobs.kinds.base import JobParams
from jobs.kinds.registry import KINDS, kind_doorbell
from jobs.models import DownloadJob
from jobs.models.lane import make_ready
from jobs.models.move_log import log_move
from jobs.states import Actor, Event
from jobs.terms import USUAL, Terms

REUSED = "This Idempotency-Key was already used with a different request."
MAX_KEY_CHARS = 255  # of `concurrency_key`
JSON_COLUMNS = [sql.COLUMNS.index(name) for name in ("params", "checkpoint", "metadata")]


def submit_job(
    *,
    owner: User,
    kind: str,
    params: JobParams,
    name: str = "",
    terms: Terms = USUAL,
    request_id: str = "",
    key: str = "",
    job_id: UUID | None = None,
    request_hash: str = "",
    is_locked: bool = False,
) -> tuple[DownloadJob, bool]:
    """Record a job, and ring for a worker after the commit. Return the job, and whether it is new.

    It is not new if this owner sent the same request with the same idempotency `key` before; limits
    are then not checked. Raises KeyReused if the key came with another request, and LimitReached.
    `params` must be valid for `kind`: serializers validate them. `request_hash` identifies the
    request if the params do not. `is_locked`: this transaction has locked the owner.
    """
    submission = submission_of(
        owner.pk, kind, params, name, terms,
        request_id=request_id, key=key, job_id=job_id, request_hash=request_hash,
    )  # fmt: skip
    query = sql.SUBMIT.text, [sql.submission_json([submission])]
    _, code, queued, *values = quota.lock_owner_quota(owner, query, is_locked=is_locked)
    quota.refuse_over_quota(code, submission, queued)
    if code == sql.REUSED:
        raise KeyReused(REUSED)
    if code == sql.UNKNOWN:
        raise get_user_model().DoesNotExist
    job = _job_of(values, owner)
    if is_new := code == sql.NEW:
        log_move(job, Event.SUBMIT, Actor.OWNER)
        if job.is_due:
            quota.depth.add()
            ring_doorbell_after_commit(kind_doorbell(job))
    return job, is_new


def submission_of(
    owner_id: int,
    kind: str,
    params: JobParams,
    name: str,
    terms: Terms,
    *,
    request_id: str = "",
    key: str = "",
    job_id: UUID | None = None,
    request_hash: str = "",
    password_md5: str | None = None,
) -> sql.Submission:
    """Return the arguments of the statement that records a job. Runs no query."""
    if key and not request_hash:
        request_hash = submission_hash(kind, params, name, terms.as_requested())
    return sql.Submission(
        owner_id=owner_id,
        password_md5=password_md5,
        job_id=job_id or new_job_id(),
        kind=kind,
        params=params,
        params_version=KINDS[kind].params_version,
        concurrency_key=KINDS[kind].concurrency_key(params)[:MAX_KEY_CHARS],
        name=KINDS[kind].artifact_name(name, params),
        sources=KINDS[kind].stored_files(params),
        is_stored=KINDS[kind].is_stored,
        after=terms.after,
        run_at=terms.run_at,
        priority=terms.priority,
        email=terms.email,
        webhook=terms.webhook,
        api_key=terms.api_key,
        request_id=request_id,
        idempotency_key=key,
        request_hash=request_hash,
        limits=quota.quota_limits(),
        queued=quota.depth.known(settings.MAX_QUEUED_JOBS),
    )


def new_job_id() -> UUID:
    """Return the id of a new job: that of the request's trace if it has one, else a random one."""
    if settings.TRACING:
        from jobs.lib.tracing.requests import take_job_id

        return take_job_id() or uuid4()
    return uuid4()


def _job_of(values: list[Any], owner: User) -> DownloadJob:
    for n in JSON_COLUMNS:  # Django's connections return JSON as text
        values[n] = values[n] and json.loads(values[n])
    job = DownloadJob.from_db("default", sql.COLUMNS, values)
    job.owner = owner
    return job


def submission_hash(*request: object) -> str:
    """Return a hash that is the same for the same request."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def resubmit_job(job: DownloadJob, by: Actor, *, detail: str = "") -> None:
    """Run a finished job again under the same id, and ring for a worker after the commit.

    Raises StaleJob, LimitReached.
    """
    with transaction.atomic():
        requeue_job(job, by, detail=detail)
        if job.is_due:
            quota.depth.add()
        ring_if_due(job)


def change_job_priority(job: DownloadJob, priority: int, *, detail: str) -> None:
    """Change the priority of a queued job. `detail` names the operator. Raises StaleJob."""
    with transaction.atomic():
        job.change_priority(priority, detail=detail)
        ring_if_due(job)


def ring_if_due(job: DownloadJob) -> None:
    """Ring for a job that was just queued, after the commit, if a worker can start it now."""
    if make_ready([job.pk]):
        ring_doorbell_after_commit(kind_doorbell(job))


def requeue_job(job: DownloadJob, by: Actor, *, detail: str = "") -> None:
    """Queue a finished job again. The dispatcher rings for it. Raises StaleJob, LimitReached.

    Operators have no limits. Only they can run a job again in whose file a virus was found, because
    the scanner's signature may have been wrong. `detail` names the operator.
    """
    if by == Actor.OWNER and job.error_code in NOT_RUN_AGAIN:
        raise StaleJob("A virus was found in the file, so it cannot be retried.")
    kind = KINDS[job.kind]
    with transaction.atomic():
        total = quota.check_source_quota(
            job,
            kind.stored_files(job.params),
            is_stored=kind.is_stored,
            is_limited=by == Actor.OWNER and job.allows(Event.REQUEUE),
        )
        dependencies = DownloadJob.objects.dependencies_of(job.pk)
        if dependencies.not_completed().exists() and not kind.is_stored:
            total = None  # its dependencies may still make some of its sources
        job.requeue(by, total=total, detail=detail)
