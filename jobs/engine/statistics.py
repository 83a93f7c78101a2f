"""Statistics for operators: the queue, recent rates, and the workers.

The counts read every row: half a second for 300,000 jobs.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import Count, Min, Q
from django.db.models.functions import Now

from jobs.engine import broker
from jobs.models import DownloadJob
from jobs.states import Status

log = structlog.get_logger(__name__)

LATELY = {"lastMinute": timedelta(minutes=1), "lastHour": timedelta(hours=1)}


def queue_statistics() -> dict[str, Any]:
    """Return jobs by status and kind, the age of the oldest due job, and rates."""
    jobs = DownloadJob.objects.order_by()
    by_kind: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(Status.values, 0))
    for row in jobs.values("kind", "status").annotate(many=Count("pk")):
        by_kind[row["kind"]][row["status"]] = row["many"]
    totals = {status: sum(kind[status] for kind in by_kind.values()) for status in Status.values}
    return {
        "queue_stats": totals | {"total": sum(totals.values())},
        "kinds": dict(by_kind),
        **_waiting(jobs),
        "rates": {name: _since(jobs, ago) for name, ago in LATELY.items()},
    }


def _waiting(jobs: Any) -> dict[str, Any]:
    queued = Q(status=Status.QUEUED)
    due = queued & Q(held=False, available_at__lte=Now())
    later = queued & Q(held=False, available_at__gt=Now())
    found: dict[str, Any] = jobs.unfinished().aggregate(
        waitingForRetry=Count("pk", later & ~Q(error_code="")),
        waitingForTheirTime=Count("pk", later & Q(error_code="")),
        waitingForOthers=Count("pk", queued & Q(held=True)),
        stalled=Count("pk", Q(status=Status.PROCESSING, lease_until__lt=Now())),
        oldest=Now() - Min("available_at", filter=due),
    )
    oldest = found.pop("oldest")
    return found | {"oldestQueuedSeconds": oldest and round(oldest.total_seconds(), 1)}


def _since(jobs: Any, ago: timedelta) -> dict[str, int]:
    ended = {
        status.value: Count("pk", Q(status=status, finished_at__gt=Now() - ago))
        for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
    }
    submitted = Count("pk", Q(created_at__gt=Now() - ago))
    lately = jobs.filter(Q(created_at__gt=Now() - ago) | Q(finished_at__gt=Now() - ago))
    return dict(lately.aggregate(submitted=submitted, **ended))


def worker_statistics() -> dict[str, Any]:
    """Return each worker that responds or has a job, and its jobs. Takes about a second."""
    answers = _responding_workers()
    running: dict[str, list[dict[str, Any]]] = defaultdict(list)
    jobs = DownloadJob.objects.filter(status=Status.PROCESSING).order_by("started_at")
    for job in jobs.defer("params"):
        running[job.worker].append(_job_body(job))
    names = sorted({*running, *(answers or {})})
    return {
        "brokerAnswers": answers is not None,
        "workers": [
            {
                "name": name,
                "answers": name in (answers or {}),
                "processes": (answers or {}).get(name),
                "jobs": running[name],
            }
            for name in names
        ],
    }


def _responding_workers() -> dict[str, int] | None:
    try:
        return broker.broker_workers()
    except Exception as error:  # from any of the broker's libraries; the rows are shown anyway
        log.warning("workers could not be asked", error=repr(error))
        return None


def _job_body(job: DownloadJob) -> dict[str, Any]:
    return {
        "jobId": str(job.pk),
        "kind": job.kind,
        "attempt": job.attempt,
        "progress": job.progress,
        "message": job.message,
        "startedAt": job.started_at,
        "leaseUntil": job.lease_until,
    }
