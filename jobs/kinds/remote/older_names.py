"""The names that older clients of links use for some members of a job."""

from __future__ import annotations

from jobs.kinds.base import Body, Job


def older_remote_names(job: Job, body: Body) -> Body:
    """Add the names that older clients of links use for some members."""
    older = {"job_id": "jobId", "bytes_downloaded": "done", "total_bytes": "total"}
    return body | {name: body[member] for name, member in older.items()}
