"""Read the jobs of a report from the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial

from django.utils import timezone

from jobs.kinds.base import JobParams
from jobs.kinds.registry import KINDS
from jobs.kinds.report.document import ReportInput, ReportRow
from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.models.permissions import can_view_all_jobs
from jobs.states import Status

ROWS_READ = 500  # from the database at once


def load_report(job: DownloadJob) -> ReportInput:
    """Return the period, and the rows to be read one by one."""
    params, now = job.params, timezone.now()
    first, last = load_report_days(params, now.astimezone(UTC).date())
    # The owner may have lost the permission since the request.
    owner = None if params["everybody"] and can_view_all_jobs(job.owner) else job.owner
    # Without the report itself, which is still running.
    jobs = DownloadJob.objects.of_days(first, last, owner).exclude(pk=job.pk)
    return ReportInput(
        format=params["format"],
        first_day=first,
        last_day=last,
        owner=owner.get_username() if owner else "",
        made_at=now,
        count=jobs.count(),
        rows=partial(_rows, jobs),
        kind_labels={name: kind.label for name, kind in KINDS.items()},
    )


def load_report_days(params: JobParams, today: date) -> tuple[date, date]:
    """Return the first and the last day of a report, both included."""
    if "from" in params:
        return date.fromisoformat(params["from"]), date.fromisoformat(params["to"])
    return today - timedelta(days=int(params["period"].removesuffix("d")) - 1), today


def _rows(jobs: JobQuerySet) -> Iterator[ReportRow]:
    jobs = jobs.select_related("owner", "artifact").defer("params", "checkpoint", "metadata")
    for job in jobs.iterator(chunk_size=ROWS_READ):
        had_file = job.unit == "bytes" and job.status == Status.EXPIRED
        yield ReportRow(
            job_id=str(job.pk),
            name=job.name,
            owner=job.owner.get_username(),
            kind=job.kind,
            status=job.status,
            error_code=job.error_code if job.status == Status.FAILED else "",
            size_bytes=job.artifact.size_bytes if job.artifact else job.total if had_file else None,
            created_at=job.created_at,
            finished_at=job.finished_at,
            waited_seconds=_seconds(job.run_at or job.created_at, job.started_at),
            ran_seconds=_seconds(job.started_at, job.finished_at),
        )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return max((end - start).total_seconds(), 0) if start and end else None
