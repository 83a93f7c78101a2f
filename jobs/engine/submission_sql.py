"""The SQL that records a job, in one round trip. Pure: the caller sends it.

First LOCK, then SUBMIT, in one transaction at READ COMMITTED. The statements of SUBMIT's function
have newer snapshots than the lock, so they see what earlier requests of the same owner committed:
its limits are exact. Sent as one pipeline with one Sync, Postgres makes the two one transaction,
without BEGIN and COMMIT.

Several owners may share a transaction: LOCK takes a sorted array, so that two batches
cannot deadlock. If one submission fails, none of the batch is recorded; send each again alone.

The functions are in jobs/migrations/0011_submit.py, `jobs_used_1` in 0018_stored_kinds.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from jobs.models.sources import Sources
from jobs.states import WAITING
from jobs.terms import USUAL_PRIORITY

CONSTANTS = {"message": WAITING, "usual_priority": USUAL_PRIORITY}
LOCKS_OF_OWNERS = 1  # the first half of an advisory lock's name; the second is the owner's id

# What SUBMIT returns for each: the id of the submission, `code`, `queued`, and these columns of the
# job, in the order of its fields, null unless `code` is NEW or REPLAYED. Named one by one, so that
# a new column does not change what a prepared plan returns.
COLUMNS = (
    "id", "owner_id", "kind", "name", "params", "params_version", "concurrency_key", "priority",
    "run_at", "held", "email", "webhook", "request_id", "idempotency_key", "request_hash",
    "status", "attempt", "failures", "losses", "available_at", "published_at", "lane_id", "queue",
    "virtual_start", "estimated_seconds", "lease_until", "task_id", "worker", "version",
    "progress", "done", "total", "unit", "speed", "threads", "message", "checkpoint", "metadata",
    "artifact_id", "error_code", "error", "created_at", "started_at", "updated_at",
    "finished_at", "expires_at", "collect_at", "deletion_id",
)  # fmt: skip

# The codes of SUBMIT. CHECK returns NEW, for "within the limits", or one of the last three.
NEW = "new"
REPLAYED = "replayed"  # the same request was sent before: this is its job
REUSED = "reused"  # another request was sent with the same key
UNKNOWN = "unknown"  # no such owner, or not active, or the password is newer than the token
TOO_MANY_ACTIVE = "too_many_active"  # from here on the public codes of LimitReached
STORAGE_FULL = "storage_full"
OVERLOADED = "overloaded"


@dataclass(frozen=True, kw_only=True)
class SubmissionLimits:
    """The limits from the settings and the kinds. None: no limit."""

    max_active: int | None
    max_bytes: int | None  # of stored files, active jobs and uploads together
    max_queued: int | None  # due jobs of all owners
    max_priority: int  # that any owner may request
    upload_idle_seconds: int
    source_kept_seconds: int  # from a job's earliest start
    mail_is_on: bool
    stored_kinds: Sequence[str] = ()  # whose jobs need no room for their artifacts


@dataclass(frozen=True, kw_only=True)
class LimitCheck:
    """The question whether an owner may have one more job that reads these sources."""

    owner_id: int
    limits: SubmissionLimits
    queued: int | None  # number of due jobs; None: count them
    job_id: UUID | None = None  # its own bytes do not count
    room_bytes: int = 0  # in addition to the sources
    sources: Sources | None = None
    is_stored: bool = False  # its source becomes its artifact, and takes no more room
    run_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Submission(LimitCheck):
    """A job to record. `priority`, `email`, `webhook`: None leaves it to the owner's settings."""

    password_md5: str | None = None  # from a token, in upper case; None: not checked
    kind: str
    name: str
    params: dict[str, Any]
    params_version: int = 1
    concurrency_key: str = ""
    after: Sequence[UUID] = ()
    priority: int | None = None
    email: bool | None = None
    webhook: str | None = None
    api_key: str = ""  # the prefix of the key that sent the request, for the history
    request_id: str = ""
    idempotency_key: str = ""
    request_hash: str = ""


@dataclass(frozen=True)
class PreparedStatement:
    """A statement to prepare, with one parameter, `$1`."""

    name: str
    text: str


# $1: the array made by `owner_ids_sql`.
LOCK = PreparedStatement(
    "lock_owners",
    f"SELECT pg_advisory_xact_lock({LOCKS_OF_OWNERS}, owner_id)"
    " FROM unnest($1::integer[]) AS owner_id",
)

# $1: the JSON made by `submission_json`, of Submissions.
SUBMIT = PreparedStatement(
    "submit",
    f"""
    SELECT submission.job_id, result.code, result.queued,
        {", ".join(f"(result.job).{name}" for name in COLUMNS)}
    FROM jsonb_populate_recordset(NULL::jobs_submission_1, $1::jsonb) AS submission,
        LATERAL jobs_submit_1(submission) AS result
    """,
)

# $1: the JSON of one Check. Returns `code`, `queued`, and the size of the sources in bytes.
CHECK = PreparedStatement(
    "check_limits",
    """
    SELECT result.code, result.queued, result.bytes
    FROM jsonb_populate_recordset(NULL::jobs_submission_1, $1::jsonb) AS submission,
        LATERAL jobs_check_1(submission) AS result
    """,
)

# $1: the JSON of one Check. Returns the bytes that an owner's files, active jobs and uploads use,
# one job excluded.
ROOM = PreparedStatement(
    "room",
    """
    SELECT jobs_used_1(submission)
    FROM jsonb_populate_recordset(NULL::jobs_submission_1, $1::jsonb) AS submission
    """,
)


def submission_batch_sql(submissions: Sequence[Submission]) -> list[tuple[PreparedStatement, str]]:
    """Return the statements to send in one pipeline, each with its parameter."""
    return [
        (LOCK, owner_ids_sql(each.owner_id for each in submissions)),
        (SUBMIT, submission_json(submissions)),
    ]


def owner_ids_sql(ids: Iterable[int]) -> str:
    """Return a Postgres array, sorted and without duplicates."""
    return "{" + ",".join(map(str, sorted(set(ids)))) + "}"


def submission_json(checks: Iterable[LimitCheck]) -> str:
    """Return a JSON array of jobs_submission_1 objects. Missing members are null in Postgres."""
    return json.dumps([_members(each) for each in checks], default=str)


def _members(check: LimitCheck) -> dict[str, Any]:
    members = vars(check) | vars(check.limits) | CONSTANTS
    members["reads_files"] = check.sources is not None
    del members["limits"]
    if sources := members.pop("sources"):
        members |= vars(sources)
    return members
