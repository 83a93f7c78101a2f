"""Jobs read from the event loop: with the account of whoever asks, in one statement."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.contrib.auth.models import User

from jobs import estimates
from jobs.asgi.callers import Caller
from jobs.asgi.postgres import Pipeline, Row, Value
from jobs.models import UPLOAD, DownloadJob, FileRow, JobRow, StoredFile
from jobs.models.job_row import COLUMNS, FILE_COLUMNS
from jobs.patience import give_back_connection
from jobs.representation import Body, job_body
from jobs.states import Status

CONNECTIONS = 2  # one that is slow must not hold up all
OWN, CHANGED = b"own", b"changed"
NOT_PREVIEWS = ("catalogue", "artifact", "upload", "quarantined")


def _own_sql() -> str:
    """$1 is a user, $2 a job. No row: there is no such user. Columns are null: no job of theirs."""
    jobs, files = DownloadJob._meta.db_table, StoredFile._meta.db_table
    dependencies = DownloadJob.after.through._meta.db_table
    names = ", ".join(f"'{role}'" for role in NOT_PREVIEWS)
    columns = [
        "u.is_active",
        "u.password",
        *(f"j.{name}" for name in COLUMNS),
        *(f"f.{name}" for name in FILE_COLUMNS),
        f"""CASE WHEN j.kind = '{UPLOAD}' AND j.status = '{Status.COMPLETED}' THEN (
              SELECT json_agg(json_build_array({", ".join(f"p.{name}" for name in FILE_COLUMNS)})
                              ORDER BY p.id DESC)
              FROM {files} p WHERE p.made_by_id = j.id AND p.role NOT IN ({names})) END""",
        f"""CASE WHEN j.held AND j.status = '{Status.QUEUED}' THEN (
              SELECT json_agg(o.id ORDER BY o.created_at DESC)
              FROM {dependencies} d JOIN {jobs} o ON o.id = d.to_downloadjob_id
              WHERE d.from_downloadjob_id = j.id) END""",
    ]
    return f"""
        SELECT {", ".join(columns)}
        FROM {User._meta.db_table} u
        LEFT JOIN {jobs} j ON j.id = $2::uuid AND j.owner_id = u.id
        LEFT JOIN {files} f ON f.id = j.artifact_id
        WHERE u.id = $1::int
    """


def _changed_sql() -> str:
    """$1 are jobs, $2 the versions of them that are known. Those that have another one by now."""
    return f"""
        SELECT j.id FROM unnest($1::uuid[], $2::int[]) AS known (id, version)
        JOIN {DownloadJob._meta.db_table} j ON j.id = known.id
        WHERE j.version <> known.version
    """


class OwnJob(NamedTuple):
    """A job, and what else an answer may show of it."""

    job: JobRow
    previews: list[FileRow]
    depends_on: list[str]  # ids of jobs

    @classmethod
    def decode(cls, values: list[Value]) -> OwnJob:
        *columns, previews, depends_on = values
        return cls(
            JobRow.decode(columns),
            [FileRow(*each) for each in json.loads(previews or b"[]")],
            json.loads(depends_on or b"[]"),
        )

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
        statements = {OWN: _own_sql(), CHANGED: _changed_sql()}
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
        return OwnJob.decode(values) if values[0] is not None else None

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
