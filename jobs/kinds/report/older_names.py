"""The names that older clients of reports use for some members of a job."""

from __future__ import annotations

from jobs.kinds.base import Body, Job


def older_report_names(job: Job, body: Body) -> Body:
    """Add the names that older clients of reports use for some members."""
    return body | {"id": body["jobId"], "progress_message": body["message"]}
