"""What one download waits for, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.states import Status
from jobs.web import wording

LISTED = 20


@dataclass(frozen=True)
class Others:
    """The first of them under a title, each with its look and its word."""

    title: str
    jobs: list[tuple[DownloadJob, str, str]]
    has_more: bool


def others_of(job: DownloadJob, now: datetime) -> list[Others]:
    """Two queries, however many there are."""
    still = job.status == Status.QUEUED and job.held
    found = [
        _listed(
            "Waits for" if still else "Waited for", DownloadJob.objects.filter(dependents=job), now
        ),
        _listed("Waited for by", DownloadJob.objects.filter(after=job), now),
    ]
    return [others for others in found if others.jobs]


def _listed(title: str, jobs: JobQuerySet, now: datetime) -> Others:
    listed = list(jobs.defer("params").order_by("created_at", "pk")[: LISTED + 1])
    first = [(other, *wording.status_of(other, now)) for other in listed[:LISTED]]
    return Others(title, first, has_more=len(listed) > LISTED)
