"""The limits of an owner, and the lock that makes them exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef
from psycopg.errors import LockNotAvailable

from jobs.engine import submission_sql as sql
from jobs.engine.queue_depth import QueueDepth
from jobs.errors import OwnerBusy, QueueFull, StorageFull, TooManyActive
from jobs.kinds.registry import KINDS
from jobs.lib.postgres.pipeline import Query, run_pipeline
from jobs.models import DownloadJob, StoredFile, Usage
from jobs.models.sources import Sources

log = structlog.get_logger(__name__)

depth = QueueDepth()  # of this process


def lock_owner_quota(owner: User, *queries: Query, is_locked: bool = False) -> list[Any]:
    """Lock the owner until the transaction ends, and run the queries in the same round trip.

    Return the row of the last one. A duplicate request waits here, and then finds the job of the
    first. If this process dies, Postgres releases the lock. `is_locked` skips the lock, if the
    transaction has it. Raises OwnerBusy.
    """
    lock = [] if is_locked else [(sql.LOCK.text, [sql.owner_ids_sql([owner.pk])])]
    try:
        return run_pipeline(*lock, *queries)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):  # not within lock_timeout
            raise OwnerBusy("Another request of yours is still being recorded.") from error
        raise


def lock_owners(owner_ids: Iterable[int]) -> None:
    """Lock these owners until the transaction ends."""
    if ids := list(owner_ids):
        run_pipeline((sql.LOCK.text, [sql.owner_ids_sql(ids)]))


def quota_limits() -> sql.SubmissionLimits:
    """Return the limits from the settings and the kinds."""
    return sql.SubmissionLimits(
        max_active=settings.MAX_ACTIVE_JOBS,
        max_bytes=settings.OWNER_STORAGE_BYTES or None,
        max_queued=settings.MAX_QUEUED_JOBS,
        max_priority=settings.MAX_PRIORITY,
        upload_idle_seconds=settings.UPLOAD_IDLE_SECONDS,
        source_kept_seconds=settings.SOURCE_KEPT_SECONDS,
        mail_is_on=settings.MAIL_IS_ON,
        stored_kinds=[name for name, kind in KINDS.items() if kind.is_stored],
    )


def check_quota(owner: User, *, room_bytes: int, is_locked: bool = False) -> None:
    """Raises LimitReached if one more job of `room_bytes` exceeds a limit. Locks the owner."""
    queued = depth.known(settings.MAX_QUEUED_JOBS)
    check = sql.LimitCheck(
        owner_id=owner.pk, limits=quota_limits(), queued=queued, room_bytes=room_bytes
    )
    _run(owner, check, is_locked=is_locked)


def check_source_quota(
    job: DownloadJob, sources: Sources | None, *, is_stored: bool, is_limited: bool
) -> int | None:
    """Lock the owner, and extend the expiry of what the job reads.

    Return the size of its sources, None if unknown. Raises LimitReached, but only if `is_limited`.
    """
    allowed = quota_limits()
    if not is_limited:
        allowed = replace(allowed, max_active=None, max_bytes=None, max_queued=None)
    check = sql.LimitCheck(
        owner_id=job.owner_id,
        limits=allowed,
        queued=depth.known(settings.MAX_QUEUED_JOBS),
        job_id=job.pk,
        sources=sources,
        is_stored=is_stored,
    )
    return _run(job.owner, check)


def extend_source_quota(job: DownloadJob, sources: Sources, *, for_seconds: int) -> None:
    """Extend the expiry of what a job reads. Checks no limit. Raises OwnerBusy."""
    allowed = replace(quota_limits(), max_active=None, max_bytes=None, max_queued=None)
    check = sql.LimitCheck(
        owner_id=job.owner_id,
        limits=replace(allowed, source_kept_seconds=for_seconds),
        queued=0,
        job_id=job.pk,
        sources=sources,
    )
    lock_owner_quota(job.owner, (sql.CHECK.text, [sql.submission_json([check])]))


def _run(owner: User, check: sql.LimitCheck, *, is_locked: bool = False) -> int | None:
    """Return the size of the sources. Raises LimitReached."""
    query = sql.CHECK.text, [sql.submission_json([check])]
    code, queued, size_bytes = lock_owner_quota(owner, query, is_locked=is_locked)
    refuse_over_quota(code, check, queued)
    return None if size_bytes is None else int(size_bytes)


def has_quota_for(job: DownloadJob, total_bytes: int) -> bool:
    """Return whether the owner has room for an artifact of this size."""
    if not (quota := settings.OWNER_STORAGE_BYTES):
        return True
    allowed = replace(quota_limits(), max_active=None)  # so that all of them are added up
    check = sql.LimitCheck(owner_id=job.owner_id, limits=allowed, queued=0, job_id=job.pk)
    (used,) = run_pipeline((sql.ROOM.text, [sql.submission_json([check])]))
    return bool(int(used) + total_bytes <= quota)


_audited = 0  # id of the last owner


def audit_quotas(most: int) -> int:
    """Check the sums of the next `most` owners against their files. Return how many were wrong."""
    global _audited
    files = StoredFile.objects.filter(owner=OuterRef("pk"))
    has_usage = Exists(Usage.objects.filter(pk=OuterRef("pk")))
    owners = get_user_model()._default_manager.filter(Exists(files) | has_usage)
    ids = list(owners.filter(pk__gt=_audited).order_by("pk").values_list("pk", flat=True)[:most])
    _audited = ids[-1] if len(ids) == most else 0
    return sum(map(_correct_usage, ids))


def _correct_usage(owner_id: int) -> bool:
    """Return whether the sum was wrong."""
    with transaction.atomic():
        # While the row is locked, no change to these files commits: its trigger waits for the row.
        Usage.objects.get_or_create(owner_id=owner_id, defaults={"stored_bytes": 0})
        usage = Usage.objects.select_for_update().get(pk=owner_id)
        stored_bytes = StoredFile.objects.in_own_bucket().filter(owner=owner_id).bytes()
        if usage.stored_bytes == stored_bytes:
            return False
        log.warning(
            "usage mended", owner_id=owner_id, was=usage.stored_bytes, stored_bytes=stored_bytes
        )
        Usage.objects.filter(pk=owner_id).update(stored_bytes=stored_bytes)
        return True


def refuse_over_quota(code: str, check: sql.LimitCheck, queued: int | None) -> None:
    """Raises LimitReached if the statement's code is one. Records the number of jobs it counted.

    Exact for the owner, who was locked; for the queue see QueueDepth.
    """
    if check.queued is None and queued is not None:
        depth.record(queued)
    match code:
        case sql.TOO_MANY_ACTIVE:
            most = settings.MAX_ACTIVE_JOBS
            raise TooManyActive(
                f"{most:,} active downloads are the maximum. Wait for one to finish."
            )
        case sql.STORAGE_FULL:
            raise StorageFull("Your files would need more storage space than you have left.")
        case sql.OVERLOADED:
            raise QueueFull("The queue is full. Try again later.")
