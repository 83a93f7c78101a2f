"""Read jobs from the event loop, from the replica if there is one, and cache them."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import DEFAULT_DB_ALIAS

from jobs.lib import replica
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.job_source import JobSource, OwnJob
from jobs.web.asgi.postgres_commands import PostgresUnavailable, StatementFailed
from jobs.web.key_uses import KEY_USES
from jobs.web.poll_counter import count_poll_read
from jobs.web.poll_responses import is_current_on_replica

MAX_CACHED = 10_000  # jobs, about 2 kB each


class JobReader:
    """Reads jobs. The next poll of a job only reads its row if it has changed."""

    def __init__(self) -> None:
        self._cached: dict[str, OwnJob] = {}
        self._primary = JobSource(DEFAULT_DB_ALIAS)
        has_replica = replica.is_replica_configured()
        self._replica = JobSource(replica.ALIAS) if has_replica else None

    async def own(self, caller: Caller, job_id: str, *, seen: int = 0) -> OwnJob | None:
        """Return the caller's job; None if there is none, or if the caller is no longer valid.

        It has at least the version `seen`. Raises PostgresUnavailable.
        """
        # A key that was revoked just now may still be valid on the replica.
        source = None if caller.key else self._replica
        found = await self._from_replica(source, caller, job_id, seen)
        if self._replica:
            count_poll_read(from_replica=found is not None)
        if found is None:
            found = await self._primary.own(caller, job_id, self._cached.get(job_id))
        if found:
            self._cache(found)
            if caller.key:
                KEY_USES.record(caller.key)
        return found

    async def _from_replica(
        self, source: JobSource | None, caller: Caller, job_id: str, seen: int
    ) -> OwnJob | None:
        """Return the job; None if the primary has to be read."""
        if not (source and replica.REPLICA.is_usable()):
            return None
        try:
            found = await source.own(caller, job_id, self._cached.get(job_id))
        except PostgresUnavailable as error:
            replica.REPLICA.record_failure(error)
            return None
        except StatementFailed:  # such as a conflict with what it replays
            return None
        if cached := self._cached.get(job_id):  # by now
            seen = max(seen, cached.job.version)
        return found if found and is_current_on_replica(found.job, seen) else None

    def _cache(self, found: OwnJob) -> None:
        if found.job.id not in self._cached and len(self._cached) >= MAX_CACHED:
            del self._cached[next(iter(self._cached))]  # the oldest
        self._cached[found.job.id] = found

    async def changed(self, versions: Mapping[str, int]) -> list[str]:
        """Return the jobs with a newer version than these. Raises PostgresUnavailable."""
        if self._replica and replica.REPLICA.is_usable():
            try:
                return await self._replica.changed(versions)
            except PostgresUnavailable as error:
                replica.REPLICA.record_failure(error)
            except StatementFailed:
                pass
        return await self._primary.changed(versions)

    def close(self) -> None:
        self._primary.close()
        if self._replica:
            self._replica.close()
