"""What an owner may have at once, and the lock that makes it exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef
from psycopg.errors import LockNotAvailable

from downloads_project.postgres.pipeline import Query, in_one_round_trip
from jobs.engine import submission_sql as sql
from jobs.engine.queue_depth import QueueDepth
from jobs.errors import OwnerBusy, QueueFull, StorageFull, TooManyActive
from jobs.models import DownloadJob, StoredFile, Usage
from jobs.models.sources import Sources

log = structlog.get_logger(__name__)

depth = QueueDepth()  # as far as this process knows


def one_at_a_time(owner: User, *queries: Query) -> list[Any]:
    """Take the owner's lock until the transaction ends, and run the queries in the same round trip.

    Returns the last one's row. A double of a request waits here, and then finds its job. Should
    this process die, Postgres lets go of the lock with the connection. Raises OwnerBusy.
    """
    try:
        return in_one_round_trip((sql.LOCK.text, [sql.owner_ids([owner.pk])]), *queries)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):  # not within lock_timeout
            raise OwnerBusy("Another request of yours is still being recorded.") from error
        raise


def limits() -> sql.SubmissionLimits:
    return sql.SubmissionLimits(
        max_active=settings.MAX_ACTIVE_JOBS,
        max_bytes=settings.OWNER_STORAGE_BYTES or None,
        max_queued=settings.MAX_QUEUED_JOBS,
        max_priority=settings.MAX_PRIORITY,
        upload_idle_seconds=settings.UPLOAD_IDLE_SECONDS,
        source_kept_seconds=settings.SOURCE_KEPT_SECONDS,
        mail_is_on=settings.MAIL_IS_ON,
    )


def check_limits(owner: User, *, room_bytes: int) -> None:
    """Take the owner's lock. Raises LimitReached where they may not have so many bytes more."""
    queued = depth.known(settings.MAX_QUEUED_JOBS)
    asked = sql.LimitCheck(owner_id=owner.pk, limits=limits(), queued=queued, room_bytes=room_bytes)
    _checked(owner, asked)


def hold_sources(
    job: DownloadJob, sources: Sources | None, *, is_stored: bool, is_limited: bool
) -> int | None:
    """Take the owner's lock, and keep what the job reads from expiring under it.

    Returns the bytes of its sources, None where nobody knows them. Raises LimitReached if the
    job `is_limited` and may not begin.
    """
    allowed = limits()
    if not is_limited:
        allowed = replace(allowed, max_active=None, max_bytes=None, max_queued=None)
    asked = sql.LimitCheck(
        owner_id=job.owner_id,
        limits=allowed,
        queued=depth.known(settings.MAX_QUEUED_JOBS),
        job_id=job.pk,
        sources=sources,
        is_stored=is_stored,
    )
    return _checked(job.owner, asked)


def keep_sources(job: DownloadJob, sources: Sources, *, for_seconds: int) -> None:
    """Extend the expiry of what a job reads. Checks no limit. Raises OwnerBusy."""
    allowed = replace(limits(), max_active=None, max_bytes=None, max_queued=None)
    asked = sql.LimitCheck(
        owner_id=job.owner_id,
        limits=replace(allowed, source_kept_seconds=for_seconds),
        queued=0,
        job_id=job.pk,
        sources=sources,
    )
    one_at_a_time(job.owner, (sql.CHECK.text, [sql.as_json([asked])]))


def _checked(owner: User, asked: sql.LimitCheck) -> int | None:
    code, queued, weight = one_at_a_time(owner, (sql.CHECK.text, [sql.as_json([asked])]))
    refuse(code, asked, queued)
    return None if weight is None else int(weight)


def has_room(job: DownloadJob, total_bytes: int) -> bool:
    """Whether the job's artifact may weigh so much."""
    if not (quota := settings.OWNER_STORAGE_BYTES):
        return True
    allowed = replace(limits(), max_active=None)  # or not all of them are summed up
    asked = sql.LimitCheck(owner_id=job.owner_id, limits=allowed, queued=0, job_id=job.pk)
    (used,) = in_one_round_trip((sql.ROOM.text, [sql.as_json([asked])]))
    return bool(int(used) + total_bytes <= quota)


_audited = 0  # the last owner


def audit(most: int) -> int:
    """Compare the sums of so many owners with their files, going round; how many were wrong."""
    global _audited
    files = StoredFile.objects.filter(owner=OuterRef("pk"))
    owners = User.objects.filter(Exists(files) | Exists(Usage.objects.filter(pk=OuterRef("pk"))))
    ids = list(owners.filter(pk__gt=_audited).order_by("pk").values_list("pk", flat=True)[:most])
    _audited = ids[-1] if len(ids) == most else 0
    return sum(map(_mend, ids))


def _mend(owner_id: int) -> bool:
    with transaction.atomic():
        # While the row is locked, nobody's change of these files commits: they wait to add to it.
        Usage.objects.get_or_create(owner_id=owner_id, defaults={"stored_bytes": 0})
        usage = Usage.objects.select_for_update().get(pk=owner_id)
        stored_bytes = StoredFile.objects.filter(owner=owner_id).bytes()
        if usage.stored_bytes == stored_bytes:
            return False
        log.warning(
            "usage mended", owner_id=owner_id, was=usage.stored_bytes, stored_bytes=stored_bytes
        )
        Usage.objects.filter(pk=owner_id).update(stored_bytes=stored_bytes)
        return True


def refuse(code: str, asked: sql.LimitCheck, queued: int | None) -> None:
    """Raises LimitReached where a statement found a limit. Remembers how many jobs it counted.

    Exact for the owner, whose lock was held; for the queue see QueueDepth.
    """
    if asked.queued is None and queued is not None:
        depth.record(queued)
    match code:
        case sql.TOO_MANY_ACTIVE:
            most = settings.MAX_ACTIVE_JOBS
            raise TooManyActive(f"More than {most:,} at once are too many. Wait for one to end.")
        case sql.STORAGE_FULL:
            raise StorageFull("Your files would take up more room than you have.")
        case sql.OVERLOADED:
            raise QueueFull("Too much is waiting to be done. Try again in a while.")
