"""Polls a job until it ends, and shows its progress."""

from __future__ import annotations

import time
from collections.abc import Iterator

from downloads_client.poll_interval import PollInterval
from downloads_client.progress import ProgressDisplay
from downloads_client.service import Service
from downloads_client.service_responses import JobResponse


def follow_job(
    service: Service, job: JobResponse, display: ProgressDisplay, interval: PollInterval
) -> Iterator[JobResponse]:
    """Yield the job, and then its new state after each poll. The last one has ended."""
    yield job
    while job.is_active:
        display.show_job(job)
        time.sleep(interval.next_seconds(job))
        job = service.poll(job)
        yield job
