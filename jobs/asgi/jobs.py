"""Jobs read from the event loop, with the account of whoever asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.contrib.auth.models import User

from jobs import estimates
from jobs.asgi.callers import Caller
from jobs.asgi.postgres import Pipeline, Row
from jobs.models import UPLOAD, DownloadJob, FileRow, JobRow, StoredFile
from jobs.models.job_row import COLUMNS, FILE_COLUMNS
from jobs.patience import give_back_connection
from jobs.representation import Body, job_body
from jobs.states import Status

CONNECTIONS = 2  # one that is slow must not hold up all
OWN, PREVIEWS, DEPENDENCIES, CHANGED = b"own", b"previews", b"dependencies", b"changed"
NOT_PREVIEWS = ("catalogue", "artifact", "upload", "quarantined")
USERS, JOBS = User._meta.db_table, DownloadJob._meta.db_table
FILES, LINKS = StoredFile._meta.db_table, DownloadJob.after.through._meta.db_table


def _own_sql() -> str:
    """$1 is a user, $2 a job. No row: there is no such user. Columns are null: no job of theirs."""
    job = ", ".join(f"j.{name}" for name in COLUMNS)
    file = ", ".join(f"f.{name}" for name in FILE_COLUMNS)
    return f"""
        SELECT u.is_active, u.password, {job}, {file}
        FROM {USERS} u
        LEFT JOIN {JOBS} j ON j.id = $2::uuid AND j.owner_id = u.id
        LEFT JOIN {FILES} f ON f.id = j.artifact_id
        WHERE u.id = $1::int
    """


def _previews_sql() -> str:
    """$1 is an upload. The files that were made of it."""
    roles = ", ".join(f"'{role}'" for role in NOT_PREVIEWS)
    return f"""
        SELECT {", ".join(FILE_COLUMNS)} FROM {FILES}
        WHERE made_by_id = $1::uuid AND role NOT IN ({roles}) ORDER BY id DESC
    """


def _dependencies_sql() -> str:
    """$1 is a job. Those that it waits for."""
    return f"""
        SELECT o.id FROM {LINKS} l JOIN {JOBS} o ON o.id = l.to_downloadjob_id
        WHERE l.from_downloadjob_id = $1::uuid ORDER BY o.created_at DESC
    """


def _changed_sql() -> str:
    """$1 are jobs, $2 the versions of them that are known. Those that have another one by now."""
    return f"""
        SELECT j.id FROM unnest($1::uuid[], $2::int[]) AS known (id, version)
        JOIN {JOBS} j ON j.id = known.id
        WHERE j.version <> known.version
    """


class OwnJob(NamedTuple):
    """A job, and what else an answer may show of it."""

    job: JobRow
    previews: list[FileRow]
    depends_on: list[str]  # ids of jobs

    def body(self) -> Body:
        """As the API shows it now."""
        return shown(self.job, depends_on=self.depends_on, previews=self.previews)


def shown(job: JobRow, *, depends_on: Sequence[str] = (), previews: Sequence[FileRow] = ()) -> Body:
    """A job as the API shows it now."""
    now = time.time()
    if estimates.is_estimated(job) and estimates.is_stale(job.kind):
        # For the next one who asks: this answer does not wait for it.
        asyncio.get_running_loop().run_in_executor(None, _measure, job.kind)
    return job_body(
        job,
        now=now,
        seconds_left=estimates.estimate(job, now),
        depends_on=lambda: depends_on,
        previews=lambda: previews,
    )


class Jobs:
    """Reads over a few connections."""

    def __init__(self) -> None:
        statements = {
            OWN: _own_sql(),
            PREVIEWS: _previews_sql(),
            DEPENDENCIES: _dependencies_sql(),
            CHANGED: _changed_sql(),
        }
        self._pipelines = [Pipeline(statements) for _ in range(CONNECTIONS)]

    async def own(self, caller: Caller, job_id: str) -> OwnJob | None:
        """The caller's job, as long as they may still ask; None for anything else.

        Raises Unavailable.
        """
        rows = await self._fetch(OWN, b"%d" % caller.user_id, job_id.encode())
        if not rows:
            return None
        is_active, password, *values = rows[0]
        if not caller.is_still(is_active=is_active == b"t", password=(password or b"").decode()):
            return None
        if values[0] is None:
            return None
        job = JobRow.decode(values)
        previews: list[FileRow] = []
        depends_on: list[str] = []
        if job.kind == UPLOAD and job.status == Status.COMPLETED:
            rows = await self._fetch(PREVIEWS, job_id.encode())
            previews = [FileRow.decode(row) for row in rows]
        elif job.held and job.status == Status.QUEUED:
            rows = await self._fetch(DEPENDENCIES, job_id.encode())
            depends_on = [(other or b"").decode() for (other,) in rows]
        return OwnJob(job, previews, depends_on)

    async def changed(self, versions: Mapping[str, int]) -> list[str]:
        """The jobs that are no longer of these versions. Raises Unavailable."""
        ids = "{" + ",".join(versions) + "}"
        known = "{" + ",".join(map(str, versions.values())) + "}"
        rows = await self._fetch(CHANGED, ids.encode(), known.encode())
        return [(job_id or b"").decode() for (job_id,) in rows]

    async def _fetch(self, statement: bytes, *params: bytes) -> list[Row]:
        pipeline = min(self._pipelines, key=lambda each: each.load)
        return await pipeline.fetch(statement, *params)

    def close(self) -> None:
        for pipeline in self._pipelines:
            pipeline.close()


def _measure(kind: str) -> None:
    """In a thread."""
    estimates.measure(kind)
    give_back_connection()
