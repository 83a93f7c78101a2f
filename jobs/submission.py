"""Taking work in: a new job from a caller, or an old one that somebody wants again."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from jobs.errors import KeyReused, OwnerBusy, QueueFull, StorageFull, TooManyActive
from jobs.kinds import KINDS, Params, artifact_name, doorbell, sources_of
from jobs.models import DownloadJob, StoredFile, Upload
from jobs.queue import ring_after_commit
from jobs.states import Actor, Event
from jobs.terms import USUAL, Terms

REUSED = "This Idempotency-Key came with another request before."
LOCKS_OF_OWNERS = 1  # the first half of an advisory lock's name; the second is the owner's id


def submit(
    *,
    owner: User,
    kind: str,
    params: Params,
    name: str = "",
    terms: Terms = USUAL,
    request_id: str = "",
    key: str = "",
    job_id: UUID | None = None,
    request_hash: str = "",
) -> tuple[DownloadJob, bool]:
    """Record the job and ring for a worker after the commit; the job, and whether it is new.

    It is not where this owner asked for the same with the same idempotency `key` before; then no
    limit counts. Raises KeyReused where they asked for something else, LimitReached where nobody
    or not this owner may ask for more now. `params` are already valid for `kind`; serializers
    sees to that. `request_hash` tells what was asked for, if the params do not.
    """
    if key and not request_hash:
        request_hash = hash_of(kind, params, name, terms.as_asked())
    with transaction.atomic():
        one_at_a_time(owner)
        if earlier := earlier_job(owner, key, request_hash):
            return earlier, False
        job = _recorded(
            terms,
            id=job_id or uuid4(),
            owner=owner,
            kind=kind,
            params=params,
            name=artifact_name(KINDS[kind], name, params),
            request_id=request_id,
            idempotency_key=key,
            request_hash=request_hash,
        )
        if job.is_due:
            ring_after_commit(doorbell(job))
    return job, True


def _recorded(
    terms: Terms, *, owner: User, kind: str, params: Params, **fields: Any
) -> DownloadJob:
    """The row, as long as there is room for it. What came for it is held from expiring."""
    others = DownloadJob.objects.filter(owner=owner, pk__in=terms.after)
    held = bool(terms.after) and others.undone().exists()
    later = terms.run_at if terms.run_at and terms.run_at > timezone.now() else None
    total = _hold_sources(kind, params, owner, until=later)
    check_limits(owner, room=_room(kind, total))
    job = DownloadJob.objects.submit(
        owner=owner,
        kind=kind,
        params=params,
        priority=terms.priority,
        run_at=later,
        available_at=later or Now(),
        held=held,
        email=terms.email,
        webhook=terms.webhook,
        total=_measured(kind, total, held=held),
        **fields,
    )
    if terms.after:
        job.after.set(others)
    return job


def earlier_job(owner: User, key: str, request_hash: str) -> DownloadJob | None:
    """What the same request made before. Raises KeyReused if it was another one."""
    if not key:
        return None
    job = DownloadJob.objects.filter(owner=owner, idempotency_key=key).first()
    if job and job.request_hash != request_hash:
        raise KeyReused(REUSED)
    return job


def hash_of(*asked: object) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def one_at_a_time(owner: User) -> None:
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


def check_limits(owner: User, *, room: int) -> None:
    """Raises LimitReached where a job of theirs may not take so many bytes, or not begin.

    Exact for the owner, whose lock is held; for the queue within a few.
    """
    mine, most = DownloadJob.objects.filter(owner=owner), settings.MAX_ACTIVE_JOBS
    if mine.unfinished().are_at_least(most):
        raise TooManyActive(f"More than {most:,} at once are too many. Wait for one to end.")
    if quota := settings.OWNER_STORAGE_BYTES:
        used = StoredFile.objects.filter(owner=owner).bytes() + mine.bytes_to_come()
        if used + Upload.objects.filter(owner=owner).bytes() + room > quota:
            raise StorageFull("Your files would take up more room than you have.")
    if DownloadJob.objects.due().are_at_least(settings.MAX_QUEUED_JOBS):
        raise QueueFull("Too much is waiting to be done. Try again in a while.")


def resubmit(job: DownloadJob, by: Actor) -> None:
    """Run a finished job again under the same id. Raises StaleJob if it is not one to run again.

    Limits count as for a new one, but not for operators.
    """
    with transaction.atomic():
        one_at_a_time(job.owner)
        total = _hold_sources(job.kind, job.params, job.owner)
        if by == Actor.OWNER and job.allows(Event.REQUEUE):
            check_limits(job.owner, room=_room(job.kind, total))
        job.requeue(by, total=_measured(job.kind, total, held=job.after.undone().exists()))
        if job.is_due:
            ring_after_commit(doorbell(job))


def _room(kind: str, total: int | None) -> int:
    return 0 if KINDS[kind].is_stored else total or 0


def _measured(kind: str, total: int | None, *, held: bool) -> int | None:
    """None where others may still make some of what it will read; a file that came is all here."""
    return None if held and not KINDS[kind].is_stored else total


def _hold_sources(
    kind: str, params: Params, owner: User, *, until: datetime | None = None
) -> int | None:
    """Keep what the job will read from expiring under it; its bytes, None for what nobody knows.

    `until` is its earliest start, if that is not now.
    """
    if KINDS[kind].sources is None:
        return None
    sources = sources_of(kind, params, owner)
    a_while = Coalesce(until, Now()) + timedelta(seconds=settings.SOURCE_KEPT_SECONDS)
    DownloadJob.objects.keep_artifacts(sources, a_while)
    sources.keep_until(a_while)
    return sources.bytes()
