"""The status of a job in words: for its row in a list and for its own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.engine import estimates
from jobs.errors import NOT_RUN_AGAIN
from jobs.kinds.registry import KINDS
from jobs.lib.file_size import file_size_text
from jobs.models import DownloadJob
from jobs.web.queue_text import queue_text
from jobs.web.wording.next_steps import next_step
from jobs.web.wording.progress_text import (
    attempt_progress_text,
    done_progress_text,
    pace_progress_text,
    progress_seconds,
)
from jobs.web.wording.status_icon import ACTIVE_ICONS, status_icon, word_of
from jobs.web.wording.time_text import day_text, duration_text, start_time_text
from jobs.web.wording.waiting import waiting_text

VERBS = {"ready": "download", "failed": "again", "cancelled": "again", "expired": "again"}


@dataclass(frozen=True)
class StatusText:
    """The status of a job in words. `share` is a percentage, or None while it is not known."""

    icon: str
    word: str
    wait_seconds: int  # until the next attempt; 0 unless it is put off
    line: str
    facts: list[str]
    reason: str
    share: int | None
    done: str
    pace: str
    verb: str  # what its owner can do next; empty if there is nothing
    starts_at: datetime | None  # of a scheduled job; `line` and the last fact end with it
    starts: str

    @property
    def wait(self) -> str:
        return duration_text(self.wait_seconds)

    @property
    def heading(self) -> str:
        return f"{self.word} in {self.wait}" if self.wait_seconds else self.word

    @property
    def again(self) -> str:
        """Return the label of the button that runs the job again."""
        return "Recreate" if self.icon == "expired" else "Retry"

    @property
    def has_bar(self) -> bool:
        """Return True until the job is finished, so that no bar moves a button while it runs."""
        return self.icon in ACTIVE_ICONS

    @property
    def bar(self) -> int | None:
        """Return the value of the progress bar; None for one without a value."""
        return self.share if self.icon == "working" else self.share or 0

    @property
    def tab(self) -> str:
        """Return the beginning of the page's title, which the name follows."""
        return f"{self.share}%" if self.share is not None else f"{self.word}:"


def job_status_text(job: DownloadJob, now: datetime) -> StatusText:
    """Return the texts about the job's status, as of `now`."""
    icon = status_icon(job, now)
    has_file = KINDS[job.kind].makes_file
    facts = _facts(job, icon, now)
    known = icon in ("working", "stalled") and bool(job.done and job.total)
    return StatusText(
        icon=icon,
        word=word_of(icon, has_file=has_file),
        wait_seconds=_wait_seconds(job, now) if icon == "waiting" else 0,
        line=_line(job, icon, facts, now),
        facts=facts,
        reason=_reason(job, icon),
        share=min(int(job.progress * 100), 99) if known else None,
        done=done_progress_text(job) if icon in ACTIVE_ICONS else "",
        pace=pace_progress_text(job, now) if icon == "working" else "",
        verb=_verb(job, icon),
        starts_at=job.run_at if icon == "scheduled" else None,
        starts=start_time_text(job.run_at, now) if icon == "scheduled" and job.run_at else "",
    )


def _verb(job: DownloadJob, icon: str) -> str:
    if icon == "ready" and not KINDS[job.kind].makes_file:
        return ""
    if icon == "expired" and not KINDS[job.kind].can_recreate:
        return ""
    if icon == "failed" and job.error_code in NOT_RUN_AGAIN:
        return ""
    return VERBS.get(icon, "cancel")


def _wait_seconds(job: DownloadJob, now: datetime) -> int:
    return max(round((job.available_at - now).total_seconds()), 1)


def _facts(job: DownloadJob, icon: str, now: datetime) -> list[str]:
    """Return what follows the word in a list: short phrases without full stops."""
    kind = KINDS[job.kind].label
    if icon == "queued":
        return [kind, _lower_first(_why_queued(job, now))]
    if icon == "held":
        return [kind, f"starts {waiting_text(job)}"]
    if icon == "scheduled":
        return [kind]
    if icon == "working":
        return [job.message]
    if icon == "stalled":
        silence = duration_text((now - job.updated_at).total_seconds())
        return [f"No response from the worker for {silence}", "another one will take over"]
    if icon == "waiting":
        return [job.error.rstrip("."), f"{attempt_progress_text(job)} is next"]
    if icon == "failed":
        return [job.error]
    if icon == "ready":
        size = [file_size_text(job.artifact.size_bytes)] if job.artifact else []
        kept = [f"kept until {day_text(job.expires_at, now)}"] if job.expires_at else []
        return [kind, *size, *kept]
    return [kind]


def _lower_first(text: str) -> str:
    return text[0].lower() + text[1:]


def _why_queued(job: DownloadJob, now: datetime) -> str:
    waiting = estimates.current_waiting(job, now.timestamp())
    return queue_text(waiting) or "Starts as soon as a worker is free"


def _line(job: DownloadJob, icon: str, facts: list[str], now: datetime) -> str:
    """Return the sentence below the word on the job's own page."""
    if icon == "queued":
        left = estimates.estimated_seconds_left(job, now.timestamp())
        about = f" Ready in about {duration_text(left)}." if left else ""
        return f"{_why_queued(job, now)}.{about}"
    if icon == "held":
        return f"Starts {waiting_text(job)}."
    if icon == "scheduled":
        return "Starts"
    if icon == "stalled":
        return f"{facts[0]}. Another one will take over in a moment."
    if icon == "waiting":
        return f"{attempt_progress_text(job).capitalize()} is next."
    if icon == "ready":
        return _outcome(job, now)
    if icon == "cancelled":
        kept = "No file was kept. " if KINDS[job.kind].makes_file else ""
        return f"{kept}You can retry it."
    if icon == "expired":
        return f"The file was deleted. {KINDS[job.kind].after_expiry}"
    return facts[0]


def _outcome(job: DownloadJob, now: datetime) -> str:
    took = duration_text(progress_seconds(job))
    kept = f" Kept until {day_text(job.expires_at, now)}." if job.expires_at else ""
    if job.artifact is None:
        return f"Took {took}.{kept}"
    return f"{file_size_text(job.artifact.size_bytes)}, {KINDS[job.kind].finished} in {took}.{kept}"


def _reason(job: DownloadJob, icon: str) -> str:
    if icon == "waiting":
        return (
            f"{job.error} This is often temporary. If the last attempt fails, you'll see it here."
        )
    if icon == "failed":
        return next_step(job.kind, job.error_code)
    return ""
