"""What a job waits for before it may start, in words."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Prefetch, prefetch_related_objects

from jobs.models import DownloadJob
from jobs.states import DONE, Status


def read_ahead(jobs: Iterable[DownloadJob]) -> None:
    """What those of them that are held still wait for: in one query for all of them, or in none.

    No more than an owner may have under way: whatever is not, is ready or lost.
    """
    held = [job for job in jobs if job.status == Status.QUEUED and job.held]
    others = DownloadJob.objects.exclude(status__in=DONE).only("name").order_by("created_at", "pk")
    prefetch_related_objects(held, Prefetch("after", others))


def until_ready(job: DownloadJob) -> str:
    """'when frames.tar and 2 others are ready'; a query, unless they were read ahead."""
    read_ahead([job])
    names = [other.name for other in job.after.all()]
    if not names:
        return "in a moment"  # the dispatcher has not looked yet
    if len(names) == 1:
        return f"when {names[0]} is ready"
    others = "one other" if len(names) == 2 else f"{len(names) - 1:,} others"
    return f"when {names[0]} and {others} are ready"
