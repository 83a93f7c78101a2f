"""What a bundle is made of: stored files, and the results of jobs."""

from __future__ import annotations

from jobs.kinds.base import JobParams
from jobs.models.sources import Sources


def bundle_source_ids(params: JobParams) -> list[int | str]:
    """Return the contents of a bundle: numbers of files, then ids of jobs with their results."""
    return [*params["file_ids"], *params.get("job_ids", [])]


def bundle_sources(params: JobParams) -> Sources:
    return Sources(params["file_ids"], params.get("job_ids", []))
