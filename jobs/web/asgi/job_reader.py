"""Read jobs from the event loop, and cache them."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.web.asgi.callers import Caller
from jobs.web.asgi.job_source import JobSource, OwnJob

MAX_CACHED = 10_000  # jobs, about 2 kB each


class JobReader:
    """Reads jobs. The next poll of a job only reads its row if it has changed."""

    def __init__(self) -> None:
        self._cached: dict[str, OwnJob] = {}
        self._primary = JobSource()

    async def own(self, caller: Caller, job_id: str) -> OwnJob | None:
        """Return the caller's job; None if there is none, or if the caller is no longer valid.

        Raises PostgresUnavailable.
        """
        cached = self._cached.get(job_id)
        found = await self._primary.own(caller, job_id, cached)
        if found and found is not cached:
            self._cache(found)
        return found

    def _cache(self, found: OwnJob) -> None:
        if len(self._cached) >= MAX_CACHED:
            del self._cached[next(iter(self._cached))]  # the oldest
        self._cached[found.job.id] = found

    async def changed(self, versions: Mapping[str, int]) -> list[str]:
        """Return the jobs that no longer have these versions. Raises PostgresUnavailable."""
        return await self._primary.changed(versions)

    def close(self) -> None:
        self._primary.close()
