"""Statistics for operators: the queue, recent rates, and the workers.

What is active is counted when it is read, from the index of active jobs. The rest was summed up by
the dispatcher (statistics_recorder.py), so that a million finished jobs cost nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from jobs.engine import health
from jobs.engine.limit_states import LimitState, read_limit_states
from jobs.models import DownloadJob, FinishedCount, JobStatistics, QueueLimit, ServiceProcess
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
    """Return ACTIVE_COUNTS of each kind with active jobs. `oldest` is a timedelta or None.

    So is `longest_wait`: that of the oldest job that no operator holds back.
    """
    active = DownloadJob.objects.unfinished().order_by()
    limits, counts = list(QueueLimit.objects.all()), dict(ACTIVE_COUNTS)
    if held_back := _held_back(limits):
        counts["longest_wait"] = Now() - Min("available_at", filter=DUE & ~held_back)
    rows: Any = active.values("kind").annotate(**counts).order_by("kind")
    kinds = {row.pop("kind"): row for row in rows}
    # Who waited for a pause to end, or for a higher limit, waits for a worker from then on.
    ended = max((limit.changed_at for limit in limits if not limit.is_paused), default=None)
    since = ended and max(timezone.now() - ended, timedelta())
    for row in kinds.values():
        wait = row.setdefault("longest_wait", row["oldest"])
        row["longest_wait"] = min(wait, since) if wait and since is not None else wait
    return kinds


def _held_back(limits: Iterable[QueueLimit]) -> Q:
    """Return the filter of jobs that wait because an operator decided so; empty for none.

    They are paused, or of an owner or key with a limit of their own. Other limits are capacity.
    """
    held_back = Q()
    for limit in limits:
        if not limit.is_paused and limit.max_running is None:
            continue
        if limit.scope == QueueLimit.Scope.OWNER and limit.owner_id:
            held_back |= Q(owner=limit.owner_id)
        elif limit.scope == QueueLimit.Scope.KEY and limit.name:
            held_back |= Q(concurrency_key=limit.name)
        elif limit.scope == QueueLimit.Scope.KIND and limit.is_paused:
            held_back |= Q(kind=limit.name)
        elif limit.is_paused:
            held_back |= Q(status=Status.QUEUED)
    return held_back


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
        "limits": [_limit_body(state) for state in read_limit_states()],
        "rates": _rates(timezone.now().replace(second=0, microsecond=0)),
    }


def _limit_body(state: LimitState) -> dict[str, Any]:
    limit = state.limit
    return {
        "scope": limit.scope,
        "name": limit.name,
        "userId": limit.owner_id and str(limit.owner_id),
        "maxRunning": limit.max_running,
        "running": state.running,
        "waiting": state.waiting,
        "paused": limit.is_paused,
        "reached": bool(state.reached),
        "reason": limit.reason,
        "changedAt": limit.changed_at,
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
