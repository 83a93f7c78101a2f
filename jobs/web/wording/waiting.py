"""The downloads that a job waits for before it starts, in words."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Prefetch, prefetch_related_objects

from jobs.models import DownloadJob
from jobs.states import DONE, Status


def prefetch_waiting_for(jobs: Iterable[DownloadJob]) -> None:
    """Load the unfinished dependencies of all waiting jobs, with one query or none.

    They are never more than an owner's limit on active jobs.
    """
    held = [job for job in jobs if job.status == Status.QUEUED and job.held]
    others = DownloadJob.objects.exclude(status__in=DONE).only("name").order_by("created_at", "pk")
    prefetch_related_objects(held, Prefetch("after", others))


def waiting_text(job: DownloadJob) -> str:
    """Return 'when frames.tar and 2 others are ready'.

    Makes a query unless `prefetch_waiting_for` did.
    """
    prefetch_waiting_for([job])
    names = [other.name for other in job.after.all()]
    if not names:
        return "in a moment"  # the dispatcher releases it in its next round
    if len(names) == 1:
        return f"when {names[0]} is ready"
    others = "one other" if len(names) == 2 else f"{len(names) - 1:,} others"
    return f"when {names[0]} and {others} are ready"
