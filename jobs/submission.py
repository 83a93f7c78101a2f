"""Taking work in: a new job from a caller, or an old one that somebody wants again."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from psycopg.errors import LockNotAvailable

from jobs.errors import KeyReused, OwnerBusy, QueueFull, StorageFull, TooManyActive
from jobs.kinds import KINDS, Params, artifact_name, doorbell, sources_of
from jobs.models import DownloadJob, StoredFile
from jobs.queue import ring_after_commit
from jobs.states import Actor, Event, Status

LOCKS_OF_OWNERS = 1  # the first half of an advisory lock's name; the second is the owner's id


def submit(
    *,
    owner: User,
    kind: str,
    params: Params,
    name: str = "",
    priority: int = 4,
    request_id: str = "",
    key: str = "",
) -> tuple[DownloadJob, bool]:
    """Record the job and ring for a worker after the commit; the job, and whether it is new.

    It is not where this owner asked for the same with the same idempotency `key` before; then no
    limit counts. Raises KeyReused where they asked for something else, LimitReached where nobody
    or not this owner may ask for more now. `params` are already valid for `kind`; serializers
    sees to that.
    """
    request_hash = _hash(kind, params, name, priority) if key else ""
    with transaction.atomic():
        _one_at_a_time(owner)
        if earlier := _earlier(owner, key):
            if earlier.request_hash != request_hash:
                raise KeyReused("This Idempotency-Key came with another request before.")
            return earlier, False
        total = _hold_sources(kind, params, owner)
        _check_limits(owner, total)
        job = DownloadJob.objects.submit(
            owner=owner,
            kind=kind,
            params=params,
            name=artifact_name(KINDS[kind], name, params),
            priority=priority,
            request_id=request_id,
            idempotency_key=key,
            request_hash=request_hash,
            total=total,
        )
        ring_after_commit(doorbell(job))
    return job, True


def _earlier(owner: User, key: str) -> DownloadJob | None:
    if not key:
        return None
    return DownloadJob.objects.filter(owner=owner, idempotency_key=key).first()


def _hash(*asked: object) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _one_at_a_time(owner: User) -> None:
    """Until the transaction ends: a double of a request waits here, and then finds its job.

    Should this process die, Postgres lets go of the lock with the connection.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCKS_OF_OWNERS, owner.pk])
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):  # not within lock_timeout
            raise OwnerBusy("Another request of yours is still being recorded.") from error
        raise


def _check_limits(owner: User, total: int | None) -> None:
    """Raises LimitReached. Exact for the owner, whose lock is held; for the queue within a few."""
    mine, most = DownloadJob.objects.filter(owner=owner), settings.MAX_ACTIVE_JOBS
    if mine.unfinished().are_at_least(most):
        raise TooManyActive(f"More than {most:,} at once are too many. Wait for one to end.")
    if quota := settings.OWNER_STORAGE_BYTES:
        used = StoredFile.objects.filter(owner=owner).bytes() + mine.bytes_to_come()
        if used + (total or 0) > quota:
            raise StorageFull("Your files would take up more room than you have.")
    if DownloadJob.objects.filter(status=Status.QUEUED).are_at_least(settings.MAX_QUEUED_JOBS):
        raise QueueFull("Too much is waiting to be done. Try again in a while.")


def resubmit(job: DownloadJob, by: Actor) -> None:
    """Run a finished job again under the same id. Raises StaleJob if it is not one to run again.

    Limits count as for a new one, but not for operators.
    """
    with transaction.atomic():
        _one_at_a_time(job.owner)
        total = _hold_sources(job.kind, job.params, job.owner)
        if by == Actor.OWNER and job.allows(Event.REQUEUE):
            _check_limits(job.owner, total)
        job.requeue(by, total=total)
        ring_after_commit(doorbell(job))


def _hold_sources(kind: str, params: Params, owner: User) -> int | None:
    """Keep what the job will read from expiring under it; its bytes, None for what nobody knows."""
    if KINDS[kind].sources is None:
        return None
    sources = sources_of(kind, params, owner)
    a_while = Now() + timedelta(seconds=settings.SOURCE_KEPT_SECONDS)
    DownloadJob.objects.keep_artifacts(sources, a_while)
    sources.keep_until(a_while)
    return sources.bytes()
