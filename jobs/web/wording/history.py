"""What happened to a job, and the exact facts about it. Both are polled: its params stay in the
database. Tracebacks stay out: an event's `detail` is for operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from jobs.engine import estimates
from jobs.models import DownloadJob, JobEvent
from jobs.states import Actor, Event
from jobs.terms import USUAL_PRIORITY
from jobs.web.wording.kinds import KINDS
from jobs.web.wording.numbers import clock, day, moment
from jobs.web.wording.status_text import after_expiry, attempt, look_of
from jobs.web.wording.waiting import until_ready

WENT_WRONG = {
    "build_failed": "It could not be made.",
    "source_missing": "A file could not be found.",
    "source_changed": "A file is not what it was when it was stored.",
    "archive_too_large": "The files are too large for one zip.",
    "storage_unavailable": "The file store could not be reached.",
    "type_not_allowed": "What is in the file is of a type that is not taken.",
    "storage_full": "It would take more room than you have.",
    "blocked_address": "The link leads to where we do not fetch from.",
    "blocked_redirect": "The other side sent us on to where we do not fetch from.",
    "too_many_redirects": "The other side sent us on and on.",
    "remote_refused": "The other side did not give the file.",
    "remote_not_trusted": "The other side could not prove who it is.",
    "remote_not_a_file": "The other side sent a web page in place of the file.",
    "remote_encoded": "The other side sent the file packed, though we asked it not to.",
    "remote_too_large": "The file is larger than we fetch.",
    "remote_unavailable": "The other side could not be reached, or broke off.",
    "remote_too_slow": "The other side sent next to nothing.",
    "remote_changed": "The file changed while we fetched it.",
    "checksum_mismatch": "What arrived is not what you expected.",
    "file_unreadable": "The file could not be read.",
    "file_encrypted": "The file can be read only with a password.",
    "picture_too_large": "The picture has more pixels than we read.",
    "file_too_complex": "Reading the file took too much.",
    "infected": "A virus was found in the file.",
    "not_scanned": "The file could not be scanned for viruses.",
    "scanner_unavailable": "The virus scanner could not be reached.",
    "dependency_failed": "Something that it was to wait for failed or was cancelled.",
    "timeout": "It took too long and was stopped.",
    "stalled": "It made no progress and was stopped.",
    "unexpected": "Something went wrong on our side.",
    "worker_lost": "The worker went silent three times.",
}


@dataclass(frozen=True)
class Line:
    """One line of a history. `mark` is 'now', 'ahead' or nothing."""

    text: str
    more: str = ""
    look: str = ""
    at: datetime | None = None
    when: str = ""
    mark: str = ""


def history(job: DownloadJob, events: Iterable[JobEvent], now: datetime) -> list[Line]:
    """What happened, then what is happening, then what comes by itself."""
    look = look_of(job, now)
    lines = [_past(event, KINDS[job.kind].begun, now) for event in events]
    if look == "working":
        lines.append(Line(job.message, look=look, when="now", mark="now"))
    return [*lines, *_ahead(job, look, now)]


def _ahead(job: DownloadJob, look: str, now: datetime) -> Iterator[Line]:
    if look == "working" and (left := estimates.seconds_left(job, now.timestamp())):
        yield _coming("Ready, if it goes on like this.", now + timedelta(seconds=left), now)
    elif look == "waiting":
        yield _coming(f"{attempt(job).capitalize()} starts.", job.available_at, now)
    elif look == "scheduled":
        yield _coming("Starts.", job.available_at, now)
    elif look == "held":
        yield Line(f"Starts {until_ready(job)}.", mark="ahead")
    elif look == "ready" and job.expires_at:
        text = f"The file is removed. {after_expiry(job)}"
        yield Line(text, when=day(job.expires_at, now, short=True), mark="ahead")


def _coming(text: str, at: datetime, now: datetime) -> Line:
    return Line(text, at=at, when=clock(at, now), mark="ahead")


def _past(event: JobEvent, begun: str, now: datetime) -> Line:
    text, more, look = _sentence(event, begun)
    return Line(text, more, look, event.at, clock(event.at, now))


def _sentence(event: JobEvent, begun: str) -> tuple[str, str, str]:
    """Text, a smaller second sentence, and a look."""
    who = "An operator" if event.by == Actor.OPERATOR else "You"
    went_wrong = WENT_WRONG.get(event.code, "It did not work this time.")
    return {
        Event.SUBMIT: (begun, "", ""),
        Event.RELEASE: ("What it waited for is ready.", "", ""),
        Event.DEPENDENCY_FAILED: (f"Failed: {went_wrong[0].lower()}{went_wrong[1:]}", "", "failed"),
        Event.CLAIM: (f"Attempt {event.attempt} started.", "", ""),
        Event.SUCCEED: ("Ready to download.", "", "ready"),
        Event.RETRY: (went_wrong, "It is tried again by itself.", "waiting"),
        Event.FAIL: (f"Failed: {went_wrong[0].lower()}{went_wrong[1:]}", "", "failed"),
        Event.HAND_BACK: ("The worker was stopped.", "Another one takes over.", "waiting"),
        Event.RESCUE: (
            "The worker went silent.",
            "Another one takes over. This costs none of your attempts.",
            "waiting",
        ),
        Event.CANCEL: (f"{who} cancelled it.", "", "cancelled"),
        Event.REQUEUE: (f"{who} asked for it again.", "", ""),
        Event.EXPIRE: ("The file was removed.", "Its time was over.", "expired"),
    }[Event(event.event)]


@dataclass(frozen=True)
class Detail:
    """A fact for whoever wants to know it exactly; `at` where it is a time.

    `file_id` where it is of a file that can be chosen.
    """

    term: str
    text: str
    at: datetime | None = None
    file_id: int | None = None


def details(job: DownloadJob, now: datetime) -> list[Detail]:
    found = [Detail("Id", str(job.pk))]
    if job.is_finished:
        found.append(Detail("Attempts", str(job.attempt)))
    else:
        found.append(Detail("Attempt", attempt(job).removeprefix("attempt ")))
        found += _terms(job, now)
    times = [("Started", job.started_at), ("Finished", job.finished_at)]
    found += [Detail(term, moment(at, now), at) for term, at in times if at]
    if look_of(job, now) == "working":
        found += [Detail(*fact) for fact in KINDS[job.kind].working(job).items()]
    if look_of(job, now) == "ready":
        found += [Detail(*fact) for fact in KINDS[job.kind].found(job).items()]
    if job.artifact and job.artifact.file_id:
        found.append(Detail("Number", "can go into a zip", file_id=job.artifact.file_id))
    if job.artifact and job.expires_at:
        found.append(Detail("Kept until", moment(job.expires_at, now), job.expires_at))
        found.append(Detail("SHA-256", job.artifact.sha256))
    if job.error_code:
        found.append(Detail("Code", job.error_code))
    return found


def _terms(job: DownloadJob, now: datetime) -> Iterator[Detail]:
    """What was asked for besides, as long as it makes a difference."""
    if job.run_at and job.run_at > now:
        yield Detail("Not before", moment(job.run_at, now), job.run_at)
    if job.priority != USUAL_PRIORITY:
        yield Detail("Priority", f"{job.priority} of 9")
    told = ["You will be mailed"] if job.email else []
    if job.webhook:  # of which all but the host may be a secret
        told.append(f"{urlsplit(job.webhook).hostname} will be told")
    if told:
        yield Detail("When it is over", ", and ".join(told))
