"""The workers with what they do, the jobs that run longest, and the dispatchers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from jobs.lib.file_size import file_size_text
from jobs.models import DownloadJob, ServiceProcess
from jobs.models.service_process import NOT_RESPONDING_AFTER
from jobs.operations.overview.links import job_link, jobs_link
from jobs.operations.overview.texts import seconds_text
from jobs.states import Status

MOST_JOBS = 100  # of all workers that are listed
LONGEST = 5


@dataclass(frozen=True)
class LongestJob:
    job: DownloadJob
    now: datetime

    @property
    def link(self) -> str:
        return job_link(self.job.pk)

    @property
    def owner_link(self) -> str:
        return jobs_link(owner=self.job.owner.get_username())

    @property
    def is_stalled(self) -> bool:
        return bool(self.job.lease_until and self.job.lease_until < self.now)

    @property
    def run_text(self) -> str:
        started = self.job.started_at or self.now
        return seconds_text((self.now - started).total_seconds())

    @property
    def heartbeat_text(self) -> str:
        return seconds_text((self.now - self.job.updated_at).total_seconds())

    @property
    def progress_text(self) -> str:
        return f"{self.job.progress:.0%}"


@dataclass(frozen=True)
class ReportedProcess:
    """A worker or a dispatcher. `report` is None for a worker that only its jobs name."""

    name: str
    report: ServiceProcess | None
    jobs: list[LongestJob]
    now: datetime

    @property
    def is_responding(self) -> bool:
        return self.report is not None and self.age <= NOT_RESPONDING_AFTER

    @property
    def idle_text(self) -> str:
        """What it does without a job. It may have taken one since its last report."""
        return "idle" if self.is_responding else "not responding, was idle"

    @property
    def seen_text(self) -> str:
        if self.report is None:
            return "never"
        return f"{seconds_text(max(self.age.total_seconds(), 0))} ago"

    @property
    def age(self) -> timedelta:
        assert self.report  # called only if there is one
        return self.now - self.report.seen_at

    @property
    def memory_text(self) -> str:
        return file_size_text(self.report.memory_bytes) if self.report else ""

    @property
    def tick_text(self) -> str:
        return seconds_text(self.report.tick_seconds if self.report else None)


@dataclass(frozen=True)
class ReportedProcesses:
    workers: list[ReportedProcess]
    dispatchers: list[ReportedProcess]
    longest: list[LongestJob]

    @property
    def slots(self) -> int:
        return sum(w.report.slots for w in self.workers if w.report and w.is_responding)

    @property
    def workers_not_responding(self) -> list[ReportedProcess]:
        return [worker for worker in self.workers if not worker.is_responding]

    @property
    def active_dispatcher(self) -> ReportedProcess | None:
        """The dispatcher that reported last, unless none is responding."""
        return next((each for each in self.dispatchers if each.is_responding), None)


def read_processes(now: datetime) -> ReportedProcesses:
    """`now` is the time of the database, whose clock the rows have."""
    reports = list(ServiceProcess.objects.order_by("role", "name"))
    jobs = [LongestJob(job, now) for job in _running()]
    doing: dict[str, list[LongestJob]] = defaultdict(list)
    for each in jobs:
        doing[each.job.worker].append(each)
    worker, dispatcher = ServiceProcess.Role.WORKER, ServiceProcess.Role.DISPATCHER
    reported: dict[str, Any] = {each.name: each for each in reports if each.role == worker}
    return ReportedProcesses(
        workers=[
            ReportedProcess(name, reported.get(name), doing[name], now)
            for name in sorted({*reported, *doing})
        ],
        dispatchers=[
            ReportedProcess(each.name, each, [], now)
            for each in sorted(reports, key=lambda each: each.seen_at, reverse=True)
            if each.role == dispatcher
        ],
        longest=jobs[:LONGEST],
    )


def _running() -> QuerySet[DownloadJob]:
    """Return the running jobs, the longest first."""
    running = DownloadJob.objects.filter(status=Status.PROCESSING).select_related("owner")
    return running.defer("params", "metadata", "checkpoint").order_by("started_at")[:MOST_JOBS]
