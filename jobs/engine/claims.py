"""Which job a worker takes: the one whose turn it is among the ready ones of the queue.

Any doorbell is a reason to look. So a worker never waits for the job that rang, and a job never for
the doorbells before its own. The order is that of jobs_next_1 in migration 0027.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.engine.doorbell import ring_doorbell_soon
from jobs.engine.kind_speeds import kind_speed
from jobs.errors import StaleJob
from jobs.kinds.registry import KINDS, queue_doorbell
from jobs.models import DownloadJob, Lane, QueueLimit
from jobs.models.transition import Search

LIMITS_KEPT_SECONDS = 1.0  # so that short jobs need no query for it


def claim_next_job(queue_name: str, *, task_id: str, worker: str) -> DownloadJob:
    """Claim the next job of the queue. Raises NothingReady."""
    search = search_of(queue_name)
    while True:
        with suppress(StaleJob):
            return DownloadJob.claim_next(search, task_id=task_id, worker=worker)


def search_of(queue_name: str) -> Search:
    """Return what this process looks for in a queue: jobs of the kinds that it knows."""
    kinds = [kind for kind in KINDS.values() if kind.queue == queue_name]
    speeds = [kind_speed(kind.name) for kind in kinds]
    return Search(
        queue=queue_name,
        kinds=[kind.name for kind in kinds],
        versions=[kind.params_version for kind in kinds],
        kind_limits=[kind.max_running for kind in kinds],
        fixed_seconds=[speed.fixed_seconds for speed in speeds],
        unit_seconds=[speed.unit_seconds for speed in speeds],
    )


def unknown_ready_kinds() -> set[tuple[str, int]]:
    """Return the kinds and versions of ready jobs that only a newer process can run."""
    known = {name: kind.params_version for name, kind in KINDS.items()}
    ready = Lane.objects.not_empty().order_by().values_list("kind", "params_version").distinct()
    return {(kind, version) for kind, version in ready if version > known.get(kind, 0)}


def ring_for_next_job(queue_name: str) -> None:
    """Send a doorbell if a limit may have kept a job waiting that may start now.

    A doorbell that came while the limit was reached has been used up.
    """
    if _has_limits(queue_name):
        for job_id in ready_jobs(queue_name, 1):
            ring_doorbell_soon(queue_doorbell(queue_name, job_id))


_operators_limits = (float("-inf"), False)  # when it was read, and whether there are any


def _has_limits(queue_name: str) -> bool:
    """Return whether anything is limited. A new limit of operators is noticed within a second."""
    global _operators_limits
    if any(kind.max_running for kind in KINDS.values() if kind.queue == queue_name):
        return True
    read_at, found = _operators_limits
    if time.monotonic() - read_at > LIMITS_KEPT_SECONDS:
        found = QueueLimit.objects.exists()
        _operators_limits = time.monotonic(), found
    return found


def ready_jobs(queue_name: str, most: int, *, for_seconds: float = 0) -> list[UUID]:
    """Return jobs of the queue that may start now. `for_seconds`: that have waited so long."""
    search = search_of(queue_name)
    known: list[Any] = [search.kinds, search.versions, search.kind_limits]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM jobs_ready_1(%s, %s::smallint[], %s::integer[], %s, %s)",
            [*known, for_seconds, most],
        )
        return [row[0] for row in cursor.fetchall()]
