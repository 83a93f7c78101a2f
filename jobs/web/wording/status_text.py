"""The status of a job in words: for its row in a list and for its own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.backoff import DELAYS_SECONDS
from jobs.engine import estimates
from jobs.errors import NOT_RUN_AGAIN
from jobs.kinds.registry import KINDS
from jobs.lib.file_size import size_of
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web.wording.next_steps import next_step
from jobs.web.wording.numbers import amount, day, seconds, start
from jobs.web.wording.waiting import until_ready

MAX_FAILURES = len(DELAYS_SECONDS) + 1

# The look of a state is its shape and colour: a symbol in _icons.html, a class in style.css.
FINAL_LOOKS = {
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
} | {look: look.capitalize() for look in FINAL_LOOKS.values()}
ACTIVE_LOOKS = ("queued", "working", "stalled", "waiting", "held", "scheduled")
VERBS = {"ready": "download", "failed": "again", "cancelled": "again", "expired": "again"}


@dataclass(frozen=True)
class StatusText:
    """The status of a job in words. `share` is a percentage, or None while it is not known."""

    look: str
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
        return seconds(self.wait_seconds)

    @property
    def heading(self) -> str:
        return f"{self.word} in {self.wait}" if self.wait_seconds else self.word

    @property
    def again(self) -> str:
        """Return the label of the button that runs the job again."""
        return "Recreate" if self.look == "expired" else "Retry"

    @property
    def has_bar(self) -> bool:
        """Return True until the job is finished, so that no bar moves a button while it runs."""
        return self.look in ACTIVE_LOOKS

    @property
    def bar(self) -> int | None:
        """Return the value of the progress bar; None for one without a value."""
        return self.share if self.look == "working" else self.share or 0

    @property
    def tab(self) -> str:
        """Return the beginning of the page's title, which the name follows."""
        return f"{self.share}%" if self.share is not None else f"{self.word}:"


def describe(job: DownloadJob, now: datetime) -> StatusText:
    """Return the texts about the job's status, as of `now`."""
    look = look_of(job, now)
    facts = _facts(job, look, now)
    known = look in ("working", "stalled") and bool(job.done and job.total)
    return StatusText(
        look=look,
        word=WORDS[look],
        wait_seconds=_wait_seconds(job, now) if look == "waiting" else 0,
        line=_line(job, look, facts, now),
        facts=facts,
        reason=_reason(job, look),
        share=min(int(job.progress * 100), 99) if known else None,
        done=_done(job) if look in ACTIVE_LOOKS else "",
        pace=_pace(job, now) if look == "working" else "",
        verb=_verb(job, look),
        starts_at=job.run_at if look == "scheduled" else None,
        starts=start(job.run_at, now) if look == "scheduled" and job.run_at else "",
    )


def status_of(job: DownloadJob, now: datetime) -> tuple[str, str]:
    """Return the look and the word of the job's status, without a query."""
    look = look_of(job, now)
    return look, WORDS[look]


def _verb(job: DownloadJob, look: str) -> str:
    if look == "expired" and not KINDS[job.kind].can_recreate:
        return ""
    if look == "failed" and job.error_code in NOT_RUN_AGAIN:
        return ""
    return VERBS.get(look, "cancel")


def look_of(job: DownloadJob, now: datetime) -> str:
    if job.status == Status.QUEUED:
        return _look_of_queued(job, now)
    if job.status == Status.PROCESSING:
        return "stalled" if job.lease_until and job.lease_until < now else "working"
    return FINAL_LOOKS[Status(job.status)]


def _look_of_queued(job: DownloadJob, now: datetime) -> str:
    if job.held:
        return "held"
    if job.available_at > now and (job.error_code or job.run_at):
        return "waiting" if job.error_code else "scheduled"
    return "queued"


def _wait_seconds(job: DownloadJob, now: datetime) -> int:
    return max(round((job.available_at - now).total_seconds()), 1)


def _facts(job: DownloadJob, look: str, now: datetime) -> list[str]:
    """Return what follows the word in a list: short phrases without full stops."""
    kind = KINDS[job.kind].label
    if look == "queued":
        return [kind, "starts as soon as a worker is free"]
    if look == "held":
        return [kind, f"starts {until_ready(job)}"]
    if look == "scheduled":
        return [kind]
    if look == "working":
        return [job.message]
    if look == "stalled":
        silence = seconds((now - job.updated_at).total_seconds())
        return [f"No response from the worker for {silence}", "another one will take over"]
    if look == "waiting":
        return [job.error.rstrip("."), f"{attempt(job)} is next"]
    if look == "failed":
        return [job.error]
    if look == "ready" and job.artifact and job.expires_at:
        kept = f"kept until {day(job.expires_at, now)}"
        return [kind, size_of(job.artifact.size_bytes), kept]
    return [kind]


def _line(job: DownloadJob, look: str, facts: list[str], now: datetime) -> str:
    """Return the sentence below the word on the job's own page."""
    if look == "queued":
        left = estimates.seconds_left(job, now.timestamp())
        about = f" Ready in about {seconds(left)}." if left else ""
        return f"Starts as soon as a worker is free.{about}"
    if look == "held":
        return f"Starts {until_ready(job)}."
    if look == "scheduled":
        return "Starts"
    if look == "stalled":
        return f"{facts[0]}. Another one will take over in a moment."
    if look == "waiting":
        return f"{attempt(job).capitalize()} is next."
    if look == "ready" and job.artifact and job.expires_at:
        took = f"{KINDS[job.kind].finished} in {seconds(_took_seconds(job))}"
        return f"{facts[1]}, {took}. Kept until {day(job.expires_at, now)}."
    if look == "cancelled":
        return "No file was kept. You can retry it."
    if look == "expired":
        return f"The file was deleted. {KINDS[job.kind].after_expiry}"
    return facts[0]


def _took_seconds(job: DownloadJob) -> float:
    if not job.finished_at or not job.started_at:
        return 0
    return (job.finished_at - job.started_at).total_seconds()


def _reason(job: DownloadJob, look: str) -> str:
    if look == "waiting":
        return (
            f"{job.error} This is often temporary. If the last attempt fails, you'll see it here."
        )
    if look == "failed":
        return next_step(job.kind, job.error_code)
    return ""


def _done(job: DownloadJob) -> str:
    """Return '3.1 of 14.2 MB' or '1,200 of 3,400 jobs'; '3.1 MB so far' without a known total.

    A queued job has only its total: '14.2 MB'.
    """
    if job.status == Status.QUEUED:
        return amount(job.total, unit=job.unit) if job.total else ""
    if not job.total:
        return f"{amount(job.done, unit=job.unit)} so far" if job.done else ""
    return amount(job.done, job.total, unit=job.unit)


def _pace(job: DownloadJob, now: datetime) -> str:
    """Return the speed and the time left, once they can be estimated."""
    age = (now - job.started_at).total_seconds() if job.started_at else 0
    if not job.speed or age < estimates.MIN_AGE_SECONDS:
        return ""
    left = estimates.seconds_left(job, now.timestamp())
    about = f" · about {seconds(left)} left" if left else ""
    return f"{amount(job.speed, unit=job.unit)}/s{about}"


def attempt(job: DownloadJob) -> str:
    """Return the current or next attempt: 'attempt 2 of 4'.

    The total is left out if an earlier run or a lost worker makes the attempt number higher.
    """
    number = job.attempt if job.status == Status.PROCESSING else job.attempt + 1
    if number - job.failures == 1:
        return f"attempt {number} of {MAX_FAILURES}"
    return f"attempt {number}" + (", the last one" if job.failures == MAX_FAILURES - 1 else "")
