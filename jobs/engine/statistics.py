"""Statistics for operators: the queue, recent rates, and the workers.

What is active is counted when it is read, from the index of active jobs. The rest was summed up by
the dispatcher (statistics_recorder.py), so that a million finished jobs cost nothing.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from jobs.engine import health
from jobs.models import DownloadJob, FinishedCount, JobStatistics, ServiceProcess
from jobs.states import ACTIVE, Status
from jobs.terms import USUAL_PRIORITY

QUEUED = Q(status=Status.QUEUED)
DUE = QUEUED & Q(held=False, available_at__lte=Now())
LATER = QUEUED & Q(held=False, available_at__gt=Now())
# Active jobs of a kind, by what they wait for.
ACTIVE_COUNTS = {
    "queued": Count("pk", QUEUED),
    "processing": Count("pk", Q(status=Status.PROCESSING)),
    "due": Count("pk", DUE),
    "high": Count("pk", DUE & Q(priority__gt=USUAL_PRIORITY)),
    "low": Count("pk", DUE & Q(priority__lt=USUAL_PRIORITY)),
    "waitingForRetry": Count("pk", LATER & ~Q(error_code="")),
    "waitingForTheirTime": Count("pk", LATER & Q(error_code="")),
    "waitingForOthers": Count("pk", QUEUED & Q(held=True)),
    "stalled": Count("pk", Q(status=Status.PROCESSING, lease_until__lt=Now())),
    "oldest": Now() - Min("available_at", filter=DUE),
}
SUMMED = ("waitingForRetry", "waitingForTheirTime", "waitingForOthers", "stalled")


def active_jobs_by_kind() -> dict[str, dict[str, Any]]:
    """Return ACTIVE_COUNTS of each kind with active jobs. `oldest` is a timedelta or None."""
    active = DownloadJob.objects.unfinished().order_by()
    rows: Any = active.values("kind").annotate(**ACTIVE_COUNTS).order_by("kind")
    return {row.pop("kind"): row for row in rows}


def queue_statistics() -> dict[str, Any]:
    """Return jobs by status and kind, the age of the oldest due job, and rates."""
    active = active_jobs_by_kind()
    by_kind: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(Status.values, 0))
    for (kind, status), jobs in FinishedCount.objects.current().items():
        by_kind[kind][status] = jobs
    for kind, counts in active.items():
        by_kind[kind] |= {status.value: counts[status.value] for status in ACTIVE}
    totals = {status: sum(kind[status] for kind in by_kind.values()) for status in Status.values}
    oldest = max((each["oldest"] for each in active.values() if each["oldest"]), default=None)
    return {
        "queue_stats": totals | {"total": sum(totals.values())},
        "kinds": dict(by_kind),
        **{name: sum(counts[name] for counts in active.values()) for name in SUMMED},
        "oldestQueuedSeconds": oldest and round(oldest.total_seconds(), 1),
        "rates": _rates(timezone.now().replace(second=0, microsecond=0)),
    }


def _rates(this_minute: datetime) -> dict[str, dict[str, int]]:
    """Return what happened in the last whole minute, and in the last hour until now."""
    minute = Q(start__gte=this_minute - timedelta(minutes=1), start__lt=this_minute)
    hour = Q(start__gte=this_minute - timedelta(hours=1))
    return {"lastMinute": _sums(minute), "lastHour": _sums(hour)}


def _sums(when: Q) -> dict[str, int]:
    names = ("submitted", "completed", "failed", "cancelled")
    sums = JobStatistics.objects.filter(when).aggregate(**{name: Sum(name) for name in names})
    return {name: value or 0 for name, value in sums.items()}


def worker_statistics() -> dict[str, Any]:
    """Return each worker that reports or has a job, and its jobs."""
    workers = ServiceProcess.objects.filter(role=ServiceProcess.Role.WORKER)
    reported = {worker.name: worker for worker in workers}
    responding = set(workers.responding().values_list("name", flat=True))
    running: dict[str, list[dict[str, Any]]] = defaultdict(list)
    jobs = DownloadJob.objects.filter(status=Status.PROCESSING).order_by("started_at")
    for job in jobs.defer("params"):
        running[job.worker].append(_job_body(job))
    return {
        "brokerAnswers": health.check_dependencies("broker")["broker"],
        "workers": [
            {
                "name": name,
                "answers": name in responding,
                "jobs": running[name],
                **_facts(reported.get(name)),
            }
            for name in sorted({*running, *reported})
        ],
    }


def _facts(worker: ServiceProcess | None) -> dict[str, Any]:
    return {
        "processes": worker and worker.slots,
        "maxProcesses": worker and worker.max_slots,
        "queues": worker.queues if worker else [],
        "memoryBytes": worker and worker.memory_bytes,
        "startedAt": worker and worker.started_at,
        "seenAt": worker and worker.seen_at,
    }


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
