"""The progress of a job in words: how much is done, how fast, which attempt."""

from __future__ import annotations

from datetime import datetime

from jobs.engine import estimates
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web.wording.number_text import amount_text
from jobs.web.wording.time_text import duration_text


def done_progress_text(job: DownloadJob) -> str:
    """Return '3.1 of 14.2 MB' or '1,200 of 3,400 jobs'; '3.1 MB so far' without a known total.

    A queued job has only its total: '14.2 MB'.
    """
    if job.status == Status.QUEUED:
        return amount_text(job.total, unit=job.unit) if job.total else ""
    if not job.total:
        return f"{amount_text(job.done, unit=job.unit)} so far" if job.done else ""
    return amount_text(job.done, job.total, unit=job.unit)


def pace_progress_text(job: DownloadJob, now: datetime) -> str:
    """Return the speed and the time left, once they can be estimated."""
    age = (now - job.started_at).total_seconds() if job.started_at else 0
    if not job.speed or age < estimates.MIN_AGE_SECONDS:
        return ""
    left = estimates.estimated_seconds_left(job, now.timestamp())
    about = f" · about {duration_text(left)} left" if left else ""
    return f"{amount_text(job.speed, unit=job.unit)}/s{about}"


def attempt_progress_text(job: DownloadJob) -> str:
    """Return the current or next attempt: 'attempt 2 of 4'.

    The total is left out if an earlier run or a lost worker makes the attempt number higher.
    """
    most = len(KINDS[job.kind].retry_delays) + 1
    number = job.attempt if job.status == Status.PROCESSING else job.attempt + 1
    if number - job.failures == 1:
        return f"attempt {number} of {most}"
    return f"attempt {number}" + (", the last one" if job.failures == most - 1 else "")


def progress_seconds(job: DownloadJob) -> float:
    if not job.finished_at or not job.started_at:
        return 0
    return (job.finished_at - job.started_at).total_seconds()
