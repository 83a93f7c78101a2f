"""How a job stands, in words: for its row in a list and for its own card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.backoff import DELAYS_SECONDS
from jobs.engine import estimates
from jobs.errors import NOT_RUN_AGAIN
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web.wording.kinds import KINDS
from jobs.web.wording.numbers import amount, day, seconds, size_of, start
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
    "waiting": "Trying again",
    "held": "Waiting",
    "scheduled": "Scheduled",
} | {look: look.capitalize() for look in FINAL_LOOKS.values()}
ACTIVE_LOOKS = ("queued", "working", "stalled", "waiting", "held", "scheduled")
VERBS = {"ready": "download", "failed": "again", "cancelled": "again", "expired": "again"}
MAKE_AGAIN, SEND_AGAIN = "You can make it again.", "You can upload it again."

ASK_OPERATOR = "We stopped trying. Run it again later; if it fails again, ask an operator."


@dataclass(frozen=True)
class Told:
    """How a job stands, in words. `share` is a percentage, None where no bar has a length."""

    look: str
    word: str
    wait_seconds: int  # until it is tried again; 0 where nothing waits
    line: str
    facts: list[str]
    reason: str
    share: int | None
    done: str
    pace: str
    verb: str  # the one thing its owner can do next; empty where there is none
    starts_at: datetime | None  # of what is scheduled; `line` and the last fact end with it
    starts: str

    @property
    def wait(self) -> str:
        return seconds(self.wait_seconds)

    @property
    def heading(self) -> str:
        return f"{self.word} in {self.wait}" if self.wait_seconds else self.word

    @property
    def has_bar(self) -> bool:
        """All that is not over: none appears or goes above what somebody is about to press."""
        return self.look in ACTIVE_LOOKS

    @property
    def bar(self) -> int | None:
        """How long it is; None where nobody knows, and it slides."""
        return self.share if self.look == "working" else self.share or 0

    @property
    def tab(self) -> str:
        """What the browser's tab says before the name."""
        return f"{self.share}%" if self.share is not None else f"{self.word}:"


def told(job: DownloadJob, now: datetime) -> Told:
    look = look_of(job, now)
    facts = _facts(job, look, now)
    known = look in ("working", "stalled") and bool(job.done and job.total)
    return Told(
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


def state_of(job: DownloadJob, now: datetime) -> tuple[str, str]:
    """Its look and its word, and nothing that has to be looked for."""
    look = look_of(job, now)
    return look, WORDS[look]


def _verb(job: DownloadJob, look: str) -> str:
    if look == "expired" and not KINDS[job.kind].is_made_again:
        return ""
    if look == "failed" and job.error_code in NOT_RUN_AGAIN:
        return ""
    return VERBS.get(look, "cancel")


def after_expiry(job: DownloadJob) -> str:
    return MAKE_AGAIN if KINDS[job.kind].is_made_again else SEND_AGAIN


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
    """Beside the word in a list: short, without full stops."""
    kind = KINDS[job.kind].kind
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
        return [f"No word from the worker for {silence}", "another one takes over"]
    if look == "waiting":
        return [job.error.rstrip("."), f"{attempt(job)} is next"]
    if look == "failed":
        return [job.error]
    if look == "ready" and job.artifact and job.expires_at:
        kept = f"kept until {day(job.expires_at, now)}"
        return [kind, size_of(job.artifact.size_bytes), kept]
    return [kind, "its time was over"] if look == "expired" else [kind]


def _line(job: DownloadJob, look: str, facts: list[str], now: datetime) -> str:
    """Under the word in a job's own card: one sentence."""
    if look == "queued":
        left = estimates.seconds_left(job, now.timestamp())
        about = f" Ready in about {seconds(left)}." if left else ""
        return f"Starts as soon as a worker is free.{about}"
    if look == "held":
        return f"Starts {until_ready(job)}."
    if look == "scheduled":
        return "Starts"
    if look == "stalled":
        return f"{facts[0]}. Another one takes over in a moment."
    if look == "waiting":
        return f"{attempt(job).capitalize()} is next."
    if look == "ready" and job.artifact and job.expires_at:
        took = f"{KINDS[job.kind].made} in {seconds(_took_seconds(job))}"
        return f"{facts[1]}, {took}. Kept until {day(job.expires_at, now)}."
    if look == "cancelled":
        return "Nothing was kept. You can run it again."
    if look == "expired":
        return f"The file was removed when its time was over. {after_expiry(job)}"
    return facts[0]


def _took_seconds(job: DownloadJob) -> float:
    if not job.finished_at or not job.started_at:
        return 0
    return (job.finished_at - job.started_at).total_seconds()


def _reason(job: DownloadJob, look: str) -> str:
    if look == "waiting":
        return (
            f"{job.error} This often passes by itself. If the last attempt fails, we say so here."
        )
    if look == "failed":
        return KINDS[job.kind].next_steps.get(job.error_code, ASK_OPERATOR)
    return ""


def _done(job: DownloadJob) -> str:
    """'3.1 of 14.2 MB', or '1,200 of 3,400 jobs'; '3.1 MB so far' where nobody knows the total.

    What there is to do, '14.2 MB', while nothing is being done.
    """
    if job.status == Status.QUEUED:
        return amount(job.total, unit=job.unit) if job.total else ""
    if not job.total:
        return f"{amount(job.done, unit=job.unit)} so far" if job.done else ""
    return amount(job.done, job.total, unit=job.unit)


def _pace(job: DownloadJob, now: datetime) -> str:
    """Speed and time left, as far as there is something to tell them from."""
    age = (now - job.started_at).total_seconds() if job.started_at else 0
    if not job.speed or age < estimates.MIN_AGE_SECONDS:
        return ""
    left = estimates.seconds_left(job, now.timestamp())
    about = f" · about {seconds(left)} left" if left else ""
    return f"{amount(job.speed, unit=job.unit)}/s{about}"


def attempt(job: DownloadJob) -> str:
    """The one that runs or comes next: 'attempt 2 of 4'.

    Without the total where an earlier run or a lost worker makes the number a different one.
    """
    number = job.attempt if job.status == Status.PROCESSING else job.attempt + 1
    if number - job.failures == 1:
        return f"attempt {number} of {MAX_FAILURES}"
    return f"attempt {number}" + (", the last one" if job.failures == MAX_FAILURES - 1 else "")
