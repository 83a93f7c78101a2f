"""The names that older clients of uploads use for some members of a job."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.kinds.base import Body, Job
from jobs.states import Status


def older_upload_names(job: Job, body: Body) -> Body:
    """Add the names that older clients of uploads use for some members."""
    body = dict(body)
    if job.status == Status.COMPLETED:
        body["completedAt"] = body["finishedAt"]
    if "processedFiles" in body:
        files: Mapping[str, Body] = body["processedFiles"]
        body["downloadUrls"] = {role: file["downloadUrl"] for role, file in files.items()}
    if job.status == Status.PROCESSING:
        body["estimatedTimeRemaining"] = body["estimatedSecondsRemaining"]
    if job.status == Status.FAILED:
        body["retryCount"] = job.failures
    return body
