"""Read jobs of one database from the event loop, together with the account of the caller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from jobs.engine import estimates
from jobs.kinds.base import Body
from jobs.kinds.registry import KINDS
from jobs.lib.database import release_database_connection
from jobs.models import FileRow, JobRow
from jobs.models.job_row import COLUMNS
from jobs.states import Status
from jobs.web.asgi.batcher import Batcher
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.job_statements import (
    changed_jobs_statement,
    dependencies_statement,
    own_job_statement,
    previews_statement,
)
from jobs.web.asgi.key_statements import own_job_of_key_statement
from jobs.web.asgi.postgres import PostgresPipeline
from jobs.web.asgi.postgres_commands import Result, Value, command_rows, postgres_array
from jobs.web.representation import represent_job

CONNECTIONS = 2  # so that other reads do not wait behind a batch of polls
OWN, OWN_OF_KEY, PREVIEWS = b"own", b"own_of_key", b"previews"
DEPENDENCIES, CHANGED = b"dependencies", b"changed"
NUMBER, IS_ACTIVE, PASSWORD, VERSION, FIRST = range(5)  # columns; FIRST is the first one of the job
MAX_BATCH = 100  # jobs in one statement


_Key = tuple[bytes, bytes, Value, Value]  # the parameters of own_sql for one job
_Found = tuple[Result, int]  # and the number of the row in it


class OwnJob(NamedTuple):
    """A job, and what else a response may need."""

    job: JobRow
    previews: list[FileRow]
    depends_on: list[str]  # ids of jobs
    cached_version: Value  # as Postgres writes it
    cached_expiry: Value

    def body(self) -> Body:
        """Return the JSON of the job now."""
        return read_job_body(self.job, depends_on=self.depends_on, previews=self.previews)


def read_job_body(
    job: JobRow, *, depends_on: Sequence[str] = (), previews: Sequence[FileRow] = ()
) -> Body:
    """Return the JSON of a job now."""
    now = time.time()
    if estimates.has_to_refresh(job):
        # For the next request: this response does not wait for it.
        asyncio.get_running_loop().run_in_executor(None, _measure, job.kind)
    waiting = estimates.cached_waiting(job, now)
    return represent_job(
        job,
        now=now,
        seconds_left=estimates.cached_estimate(job, now, waiting),
        waiting=waiting,
        depends_on=lambda: depends_on,
        previews=lambda: previews,
    )


class JobSource:
    """Reads jobs of the database `alias` over a few connections."""

    def __init__(self, alias: str) -> None:
        statements = {
            OWN: own_job_statement(),
            OWN_OF_KEY: own_job_of_key_statement(),
            PREVIEWS: previews_statement(),
            DEPENDENCIES: dependencies_statement(),
            CHANGED: changed_jobs_statement(),
        }
        self._pipelines = [PostgresPipeline(statements, alias=alias) for _ in range(CONNECTIONS)]
        # One at a time, so that batches are larger.
        of_users, of_keys = partial(self._own, OWN), partial(self._own, OWN_OF_KEY)
        self._of_users = Batcher(of_users, max_concurrent=1, max_size=MAX_BATCH)
        self._of_keys = Batcher(of_keys, max_concurrent=1, max_size=MAX_BATCH)

    async def own(self, caller: Caller, job_id: str, cached: OwnJob | None) -> OwnJob | None:
        """Return the caller's job; None if there is none, or if the caller is no longer valid.

        Returns `cached` if that is current. Raises PostgresUnavailable.
        """
        version, expires_at = None, None
        if cached:
            version, expires_at = cached.cached_version, cached.cached_expiry
        batcher, who = self._of_users, b"%d" % caller.user_id
        if caller.key:
            batcher, who = self._of_keys, caller.key.encode()
        found = await batcher.submit((who, job_id.encode(), version, expires_at))
        if found is None:
            return None
        result, row = found
        get = result.get_value
        password = (get(row, PASSWORD) or b"").decode()
        if not caller.is_still_valid(is_active=get(row, IS_ACTIVE) == b"t", password=password):
            return None
        if get(row, VERSION) is None:
            return None
        if cached and get(row, FIRST) is None:
            return cached
        values = [get(row, column) for column in range(FIRST, result.nfields)]
        return await self._read(values)

    async def _own(self, statement: bytes, keys: list[_Key]) -> list[_Found | None]:
        """Return the result and the row of each job; None if there is no such user or key."""
        found: list[_Found | None] = [None] * len(keys)
        params = (postgres_array(values) for values in zip(*keys, strict=True))
        result = await self._fetch(statement, *params)
        for row in range(result.ntuples):
            found[int(result.get_value(row, NUMBER) or 0)] = result, row
        return found

    async def _read(self, values: list[Value]) -> OwnJob:
        job = JobRow.decode(values)
        previews: list[FileRow] = []
        depends_on: list[str] = []
        if KINDS[job.kind].roles and job.status == Status.COMPLETED:
            found = command_rows(await self._fetch(PREVIEWS, job.id.encode()))
            previews = [FileRow.decode(row) for row in found]
        elif job.held and job.status == Status.QUEUED:
            found = command_rows(await self._fetch(DEPENDENCIES, job.id.encode()))
            depends_on = [(other or b"").decode() for (other,) in found]
        version, expiry = values[COLUMNS.index("version")], values[COLUMNS.index("expires_at")]
        return OwnJob(job, previews, depends_on, version, expiry)

    async def changed(self, versions: Mapping[str, int]) -> list[str]:
        """Return the jobs with a newer version than these. Raises PostgresUnavailable."""
        ids = postgres_array([job_id.encode() for job_id in versions])
        known = postgres_array([b"%d" % version for version in versions.values()])
        changed = command_rows(await self._fetch(CHANGED, ids, known))
        return [(job_id or b"").decode() for (job_id,) in changed]

    async def _fetch(self, statement: bytes, *params: Value) -> Result:
        pipeline = min(self._pipelines, key=lambda each: each.load)
        return await pipeline.fetch(statement, *params)

    def close(self) -> None:
        for pipeline in self._pipelines:
            pipeline.close()


def _measure(kind: str) -> None:
    """Measure the queues, and the speed of a kind. Runs in a thread."""
    estimates.refresh_estimates(kind)
    release_database_connection()
