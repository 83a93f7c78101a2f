"""The icon and the word for the status of a job.

An icon is a symbol in _icons.html, and its colour is a class in style.css.
"""

from __future__ import annotations

from datetime import datetime

from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Status

FINAL_ICONS = {
    Status.COMPLETED: "ready",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.EXPIRED: "expired",
}
WORDS = {
    "queued": "Queued",
    "working": "Working",
    "stalled": "Working",
    "waiting": "Retrying",
    "held": "Waiting",
    "scheduled": "Scheduled",
} | {icon: icon.capitalize() for icon in FINAL_ICONS.values()}
ACTIVE_ICONS = ("queued", "working", "stalled", "waiting", "held", "scheduled")


def status_icon_and_word(job: DownloadJob, now: datetime) -> tuple[str, str]:
    """Return the icon and the word, without a query."""
    icon = status_icon(job, now)
    return icon, word_of(icon, has_file=KINDS[job.kind].makes_file)


def word_of(icon: str, *, has_file: bool) -> str:
    return "Done" if icon == "ready" and not has_file else WORDS[icon]


def status_icon(job: DownloadJob, now: datetime) -> str:
    if job.status == Status.QUEUED:
        return _icon_of_queued(job, now)
    if job.status == Status.PROCESSING:
        return "stalled" if job.lease_until and job.lease_until < now else "working"
    return FINAL_ICONS[Status(job.status)]


def _icon_of_queued(job: DownloadJob, now: datetime) -> str:
    if job.held:
        return "held"
    if job.available_at > now and (job.error_code or job.run_at):
        return "waiting" if job.error_code else "scheduled"
    return "queued"
