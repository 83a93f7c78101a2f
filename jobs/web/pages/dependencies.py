"""The downloads that one depends on, and those that depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.states import Status
from jobs.web import wording

LISTED = 20  # jobs of each list


@dataclass(frozen=True)
class RelatedJobs:
    """The first jobs of a list with a title; each with its icon and the word for its status."""

    title: str
    jobs: list[tuple[DownloadJob, str, str]]
    has_more: bool


def job_dependencies(job: DownloadJob, now: datetime) -> list[RelatedJobs]:
    """Return the lists that are not empty. Makes two queries."""
    is_waiting = job.status == Status.QUEUED and job.held
    title = "Depends on" if is_waiting else "Depended on"
    lists = [
        _listed(title, DownloadJob.objects.filter(dependents=job), now),
        _listed("Required by", DownloadJob.objects.filter(after=job), now),
    ]
    return [related for related in lists if related.jobs]


def _listed(title: str, jobs: JobQuerySet, now: datetime) -> RelatedJobs:
    listed = list(
        jobs.filter(deletion=None).defer("params").order_by("created_at", "pk")[: LISTED + 1]
    )
    rows = [(each, *wording.status_icon_and_word(each, now)) for each in listed[:LISTED]]
    return RelatedJobs(title, rows, has_more=len(listed) > LISTED)
