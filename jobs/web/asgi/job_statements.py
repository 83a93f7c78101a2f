"""The statements that read jobs from the event loop, as SQL to prepare."""

from __future__ import annotations

from django.contrib.auth import get_user_model

from jobs.models import DownloadJob, StoredFile
from jobs.models.job_row import COLUMNS, FILE_COLUMNS

USERS, JOBS = get_user_model()._meta.db_table, DownloadJob._meta.db_table
USER_ID = get_user_model()._meta.pk.column
FILES, LINKS = StoredFile._meta.db_table, DownloadJob.after.through._meta.db_table


def own_job_statement() -> str:
    """$1 are users, $2 a job of each, $3 and $4 its cached version and expiry, or null.

    No row: there is no such user. The version is null: the user has no such job, or deleted it. The
    columns from FIRST on are null: the cached job is current.
    """
    return own_job_sql("int", f"JOIN {USERS} u ON u.{USER_ID} = key.caller")


def own_job_sql(caller_type: str, user: str) -> str:
    """Return own_job_statement for the type of callers in $1. `user` joins their accounts `u`."""
    job = ", ".join(f"n.{name}" for name in COLUMNS)
    file = ", ".join(f"f.{name}" for name in FILE_COLUMNS)
    return f"""
        SELECT key.n - 1, u.is_active, u.password, j.version, {job}, {file}
        FROM unnest($1::{caller_type}[], $2::uuid[], $3::int[], $4::timestamptz[])
            WITH ORDINALITY AS key (caller, job_id, version, expires_at, n)
        {user}
        LEFT JOIN {JOBS} j ON j.id = key.job_id AND j.owner_id = u.{USER_ID}
            AND j.deletion_id IS NULL
        LEFT JOIN {JOBS} n ON n.id = j.id AND (
            n.version IS DISTINCT FROM key.version
            OR n.expires_at IS DISTINCT FROM key.expires_at)
        LEFT JOIN {FILES} f ON f.id = n.artifact_id
    """


def previews_statement() -> str:
    """Select the files that were made by the job $1, in addition to its artifact."""
    roles = ", ".join(f"'{role}'" for role in StoredFile.Role.values)
    return f"""
        SELECT {", ".join(FILE_COLUMNS)} FROM {FILES}
        WHERE made_by_id = $1::uuid AND role NOT IN ({roles}) ORDER BY id DESC
    """


def dependencies_statement() -> str:
    """Select the jobs that the job $1 depends on."""
    return f"""
        SELECT o.id FROM {LINKS} l JOIN {JOBS} o ON o.id = l.to_downloadjob_id
        WHERE l.from_downloadjob_id = $1::uuid ORDER BY o.created_at DESC
    """


def changed_jobs_statement() -> str:
    """Select those of the jobs $1 whose version is newer than the one in $2."""
    return f"""
        SELECT j.id FROM unnest($1::uuid[], $2::int[]) AS known (id, version)
        JOIN {JOBS} j ON j.id = known.id
        WHERE j.version > known.version
    """
