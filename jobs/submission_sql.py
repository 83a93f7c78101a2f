"""The SQL that records a job, in one round trip. Pure: whoever has a connection sends it.

First LOCK, then SUBMIT, in one transaction at READ COMMITTED. SUBMIT's snapshot is newer than the
lock, so it sees what earlier requests of the same owner committed: its limits are exact. Sent as
one pipeline with one Sync, Postgres makes the two one transaction, without BEGIN and COMMIT.

Several owners may share a transaction (`batch`): LOCK takes an array, sorted, so that two batches
cannot wait for each other. If one statement of a batch fails, nothing of it is recorded; send each
again alone.

The text lives here and not in functions of the database: during a rollout old and new processes
share one schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from jobs.postgres_text import Text, encode
from jobs.sources import Sources
from jobs.states import WAITING
from jobs.terms import USUAL_PRIORITY

LOCKS_OF_OWNERS = 1  # the first half of an advisory lock's name; the second is the owner's id

# What SUBMIT returns: `code`, `queued` and these columns of the job, null unless `code` is NEW or
# REPLAYED. Named one by one, so that a new column does not change what a prepared plan returns.
COLUMNS = (
    "id", "owner_id", "kind", "name", "params", "priority", "run_at", "held", "email", "webhook",
    "request_id", "idempotency_key", "request_hash", "status", "attempt", "failures", "losses",
    "available_at", "published_at", "lease_until", "task_id", "worker", "version", "progress",
    "done", "total", "unit", "speed", "threads", "message", "checkpoint", "metadata",
    "artifact_id", "error_code", "error", "created_at", "started_at", "updated_at",
    "finished_at", "expires_at", "collect_at",
)  # fmt: skip

# The codes of SUBMIT. CHECK answers NEW for "there is room", and one of the last three.
NEW = "new"
REPLAYED = "replayed"  # the same request came before; the row is what it made
REUSED = "reused"  # another request came with the same key
UNKNOWN = "unknown"  # no such owner; not active any more; another password since the token
TOO_MANY_ACTIVE = "too_many_active"  # from here on the public codes of LimitReached
STORAGE_FULL = "storage_full"
OVERLOADED = "overloaded"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the settings say. None: no limit."""

    max_active: int | None
    max_bytes: int | None  # of stored files, active jobs and uploads together
    max_queued: int | None  # of everybody's, and due
    max_priority: int  # that anybody may ask for
    upload_idle_seconds: int
    source_kept_seconds: int  # from a job's earliest start
    mail_is_on: bool


@dataclass(frozen=True, kw_only=True)
class Check:
    """Whether an owner may have one more job, which reads these sources."""

    owner_id: int
    limits: Limits
    queued: int | None  # how many jobs are due, as far as it is known; None: count them
    job_id: UUID | None = None  # its own bytes do not count
    room_bytes: int = 0  # beside what the sources weigh
    sources: Sources | None = None
    is_stored: bool = False  # what it reads becomes its artifact, and takes no more room
    run_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Submission(Check):
    """A job to record. `priority`, `email`, `webhook`: None leaves it to the owner's settings."""

    password_md5: str | None = None  # in upper case, as a token has it; None: whoever asks is known
    kind: str
    name: str
    params: dict[str, Any]
    after: Sequence[UUID] = ()
    priority: int | None = None
    email: bool | None = None
    webhook: str | None = None
    request_id: str = ""
    idempotency_key: str = ""
    request_hash: str = ""


@dataclass(frozen=True)
class Statement:
    """What to prepare. `$1 ...` in its text are the `parameters`, in this order."""

    name: str
    text: str
    parameters: tuple[str, ...]

    def values(self, asked: Check) -> list[Text]:
        """Of the parameters, in Postgres' text format."""
        return [encode(_PARAMETERS[name].get(asked)) for name in self.parameters]


def batch(submissions: Sequence[Submission]) -> list[tuple[Statement, list[Text], int]]:
    """What to send in one pipeline, and which submission each row answers; -1 for the lock.

    Those of one owner stay in their order.
    """
    order = sorted(range(len(submissions)), key=lambda n: submissions[n].owner_id)
    lock = (LOCK, [lock_of({each.owner_id for each in submissions})], -1)
    return [lock, *((SUBMIT, SUBMIT.values(submissions[n]), n) for n in order)]


def lock_of(owner_ids: Iterable[int]) -> Text:
    """The one argument of LOCK."""
    return encode(sorted(owner_ids))


# The text


@dataclass(frozen=True)
class _Parameter:
    type: str
    get: Callable[[Any], Any]


def _parameters(place: str = "", **types: str) -> dict[str, _Parameter]:
    return {name: _Parameter(type, attrgetter(place + name)) for name, type in types.items()}


def _of_sources(name: str) -> Callable[[Any], Any]:
    return lambda asked: asked.sources and getattr(asked.sources, name)


_PARAMETERS = (
    _parameters(
        owner_id="integer", job_id="uuid", room_bytes="bigint", queued="bigint",
        is_stored="boolean", run_at="timestamptz", kind="text", name="text",
        params="jsonb", after="uuid[]", priority="smallint", email="boolean", webhook="text",
        request_id="text", idempotency_key="text", request_hash="text",
        password_md5="text",  # noqa: S106 # a type
    )
    | _parameters(
        "limits.", max_active="bigint", max_bytes="bigint", max_queued="bigint",
        max_priority="smallint", mail_is_on="boolean", upload_idle_seconds="integer",
        source_kept_seconds="integer",
    )
    | {
        "reads_files": _Parameter("boolean", lambda asked: asked.sources is not None),
        "file_ids": _Parameter("integer[]", _of_sources("file_ids")),
        "made_by": _Parameter("uuid[]", _of_sources("made_by")),
        "received_key": _Parameter("text", _of_sources("received_key")),
    }
)  # fmt: skip


def _statement(name: str, text: str) -> Statement:
    """Number the parameters, which stand as `:name`, by where each comes first."""
    numbers: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        number = numbers.setdefault(found[1], len(numbers) + 1)
        return f"${number}::{_PARAMETERS[found[1]].type}"

    text = re.sub(r"(?<!:):(\w+)", numbered, text)
    return Statement(name, text, tuple(numbers))


LOCK = Statement(
    "lock_owners",
    f"SELECT pg_advisory_xact_lock({LOCKS_OF_OWNERS}, owner_id)"
    " FROM unnest($1::integer[]) AS owner_id",
    ("owner_ids",),
)

# How many jobs are due, counted no further than the limit.
DUE = """
SELECT count(*) FROM (
    SELECT FROM jobs_downloadjob
    WHERE status = 'queued' AND NOT held AND available_at <= statement_timestamp()
    LIMIT :max_queued
) AS due
"""

# As `StoredFile.objects.read_by` finds them.
SOURCES = """
sources AS MATERIALIZED (
    SELECT id, size_bytes, expires_at, made_by_id
    FROM jobs_storedfile
    WHERE file_id = ANY (:file_ids) AND (owner_id IS NULL OR owner_id = :owner_id)
            AND (expires_at IS NULL OR expires_at > statement_timestamp())
        OR made_by_id = ANY (:made_by) AND owner_id = :owner_id AND role = 'artifact'
        OR key = :received_key AND owner_id = :owner_id AND role IN ('upload', 'quarantined')
),
measured AS MATERIALIZED (
    SELECT CASE WHEN :reads_files THEN coalesce(sum(size_bytes), 0)::bigint END AS bytes
    FROM sources
)
"""

# Of an upload the file is there already, and counts among the stored ones.
USED = """
active AS MATERIALIZED (
    SELECT count(*) AS jobs,
        coalesce(sum(total) FILTER (WHERE unit = 'bytes' AND kind <> 'upload'), 0) AS bytes
    FROM (
        SELECT total, unit, kind FROM jobs_downloadjob
        WHERE owner_id = :owner_id AND status IN ('queued', 'processing')
            AND id IS DISTINCT FROM :job_id
        LIMIT :max_active
    ) AS active
),
used AS MATERIALIZED (
    SELECT active.bytes
        + coalesce((SELECT stored_bytes FROM jobs_usage WHERE owner_id = :owner_id), 0)
        + coalesce((
            SELECT sum(size_bytes) FROM jobs_upload
            WHERE owner_id = :owner_id AND touched_at
                >= statement_timestamp() - make_interval(secs => :upload_idle_seconds)
        ), 0) AS bytes
    FROM active
)
"""

# Nothing in a CASE is looked up before it is needed: a replay counts nothing.
LIMITS = """
        WHEN (SELECT jobs FROM active) >= :max_active THEN 'too_many_active'
        WHEN :max_bytes IS NOT NULL AND :max_bytes < :room_bytes + (SELECT bytes FROM used)
            + CASE WHEN :is_stored THEN 0 ELSE coalesce((SELECT bytes FROM measured), 0) END
            THEN 'storage_full'
        WHEN (SELECT queued FROM depth) >= :max_queued THEN 'overloaded'
        ELSE 'new'
"""

# The jobs that made a source, too; and they first, as `DownloadJob.expire` locks them.
KEEP = """
until AS MATERIALIZED (
    SELECT greatest(:run_at, statement_timestamp())
        + make_interval(secs => :source_kept_seconds) AS moment
),
kept_jobs AS (
    UPDATE jobs_downloadjob SET expires_at = (SELECT moment FROM until)
    WHERE (SELECT code FROM verdict) = 'new'
        AND id IN (SELECT made_by_id FROM sources WHERE made_by_id IS NOT NULL)
        AND status = 'completed' AND expires_at < (SELECT moment FROM until)
    RETURNING id
),
kept_files AS (
    UPDATE jobs_storedfile SET expires_at = (SELECT moment FROM until)
    WHERE (SELECT code FROM verdict) = 'new' AND (SELECT count(*) FROM kept_jobs) IS NOT NULL
        AND id IN (SELECT id FROM sources WHERE expires_at < (SELECT moment FROM until))
        AND expires_at < (SELECT moment FROM until)
)
"""

DEPTH = f"""
depth AS MATERIALIZED (
    SELECT CASE WHEN :queued IS NULL THEN ({DUE}) ELSE :queued END AS queued
)
"""

# `queued` is what QueueDepth shall learn; `bytes` what the sources weigh.
CHECK = _statement(
    "check_limits",
    f"""
WITH {SOURCES}, {USED}, {DEPTH},
verdict AS MATERIALIZED (SELECT CASE {LIMITS} END AS code),
{KEEP}
SELECT code, queued, bytes FROM verdict, depth, measured
""",
)

# What an owner's files, active jobs and uploads take up, without one job.
ROOM = _statement("room", f"WITH {USED} SELECT bytes FROM used")

SUBMIT = _statement(
    "submit",
    f"""
WITH who AS MATERIALIZED (
    SELECT auth_user.id,
        coalesce(p.email, false) AND auth_user.email <> '' AND :mail_is_on AS email,
        coalesce(p.webhook, '') AS webhook,
        least({USUAL_PRIORITY}, coalesce(
            p.most_urgent, CASE WHEN auth_user.is_staff THEN 9 ELSE :max_priority END
        )) AS priority
    FROM auth_user LEFT JOIN jobs_preferences p ON p.owner_id = auth_user.id
    WHERE auth_user.id = :owner_id AND (
        :password_md5 IS NULL OR is_active AND upper(md5(password)) = :password_md5
    )
),
earlier AS MATERIALIZED (
    SELECT {", ".join(COLUMNS)} FROM jobs_downloadjob
    WHERE :idempotency_key <> '' AND idempotency_key <> ''
        AND owner_id = :owner_id AND idempotency_key = :idempotency_key
),
{SOURCES}, {USED}, {DEPTH},
others AS MATERIALIZED (
    SELECT id, status FROM jobs_downloadjob WHERE owner_id = :owner_id AND id = ANY (:after)
),
blocked AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM others WHERE status NOT IN ('completed', 'expired')) AS held
),
verdict AS MATERIALIZED (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM who) THEN 'unknown'
        WHEN EXISTS (SELECT FROM earlier WHERE request_hash = :request_hash) THEN 'replayed'
        WHEN EXISTS (SELECT FROM earlier) THEN 'reused'
        {LIMITS}
    END AS code
),
{KEEP},
inserted AS (
    INSERT INTO jobs_downloadjob (
        id, owner_id, kind, name, params, priority, run_at, held, email, webhook, request_id,
        idempotency_key, request_hash, status, attempt, failures, losses, available_at,
        published_at, task_id, worker, version, progress, done, total, unit, speed, threads,
        message, metadata, error_code, error, created_at, updated_at
    )
    SELECT :job_id, who.id, :kind, :name, :params, coalesce(:priority, who.priority),
        CASE WHEN :run_at > statement_timestamp() THEN :run_at END, blocked.held,
        coalesce(:email, who.email), coalesce(:webhook, who.webhook), :request_id,
        :idempotency_key, :request_hash, 'queued', 0, 0, 0,
        greatest(:run_at, statement_timestamp()),
        statement_timestamp(), '', '', 1, 0, 0,
        CASE WHEN blocked.held AND NOT :is_stored THEN NULL ELSE measured.bytes END,
        'bytes', 0, 0, '{WAITING}', '{{}}', '', '', statement_timestamp(), statement_timestamp()
    FROM who, blocked, measured
    WHERE (SELECT code FROM verdict) = 'new'
    RETURNING {", ".join(COLUMNS)}
),
links AS (
    INSERT INTO jobs_downloadjob_after (from_downloadjob_id, to_downloadjob_id)
    SELECT inserted.id, others.id FROM inserted, others
),
history AS (
    INSERT INTO jobs_jobevent (job_id, at, event, by, attempt, code, detail)
    SELECT id, statement_timestamp(), 'submit', 'owner', 0, '', '' FROM inserted
)
SELECT code, queued, job.*
FROM verdict CROSS JOIN depth
LEFT JOIN (SELECT * FROM inserted UNION ALL SELECT * FROM earlier) AS job
    ON code IN ('new', 'replayed')
""",
)
