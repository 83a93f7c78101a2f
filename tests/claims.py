"""Claims as workers make them, one after the other or at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.conf import settings
from django.db import connection

from jobs.engine.claims import claim_next_job
from jobs.errors import NothingReady
from jobs.models import DownloadJob

WORKERS = 12


def claim(queue: str = settings.QUEUE) -> DownloadJob | None:
    """Claim the next job; None if there is none."""
    try:
        return claim_next_job(queue, task_id="task", worker="worker@test")
    except NothingReady:
        return None


def claim_at_once() -> list[DownloadJob]:
    """Claim with WORKERS threads at the same time. The test needs `django_db(transaction=True)`."""
    together = Barrier(WORKERS)

    def claim_together(_: int) -> DownloadJob | None:
        together.wait()
        try:
            return claim()
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as workers:
        return [job for job in workers.map(claim_together, range(WORKERS)) if job]
