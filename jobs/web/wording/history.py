"""The activity of a job and its details. Polls load both, so the job's params are not read here.
An event's `detail` may hold a traceback for operators and is not shown; that of a submission is the
prefix of an API key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from jobs.engine import estimates
from jobs.kinds.base import Kind
from jobs.kinds.error_codes import job_error_codes
from jobs.kinds.page_parts import Detail
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, JobEvent
from jobs.states import Actor, Event
from jobs.terms import USUAL_PRIORITY
from jobs.web.wording.history_line import HistoryLine
from jobs.web.wording.progress_text import attempt_progress_text
from jobs.web.wording.status_icon import status_icon, word_of
from jobs.web.wording.time_text import clock_text, day_text, moment_text
from jobs.web.wording.waiting import waiting_text

UNKNOWN = "Something went wrong."
WENT_WRONG = {
    "build_failed": "The file could not be created.",
    "no_sources": "There are no files for it.",
    "source_missing": "A file could not be found.",
    "source_changed": "A stored file has changed.",
    "archive_too_large": "The file would be too large.",
    "storage_unavailable": "The file store could not be reached.",
    "type_not_allowed": "Files of this type are not allowed.",
    "storage_full": "You don't have enough storage space.",
    "blocked_address": "The link leads to an address that we don't fetch from.",
    "blocked_redirect": "The server redirected us to an address that we don't fetch from.",
    "too_many_redirects": "The server redirected us too many times.",
    "remote_refused": "The server refused the file.",
    "remote_not_trusted": "The server's certificate is not valid.",
    "remote_not_a_file": "The server sent a web page instead of the file.",
    "remote_encoded": "The server compressed the file, although we asked it not to.",
    "remote_too_large": "The file is larger than the limit.",
    "remote_unavailable": "The server couldn't be reached, or the connection dropped.",
    "remote_too_slow": "The server was too slow.",
    "remote_changed": "The file changed while we fetched it.",
    "checksum_mismatch": "The checksum does not match.",
    "file_unreadable": "The file could not be read.",
    "file_encrypted": "The file is protected by a password.",
    "picture_too_large": "The picture has too many pixels.",
    "file_too_complex": "The file is too complex to read.",
    "infected": "A virus was found in the file.",
    "not_scanned": "The file could not be scanned for viruses.",
    "scanner_unavailable": "The virus scanner could not be reached.",
    "empty_result": "No file was made.",
    "dependency_failed": "A download that it depends on failed or was cancelled.",
    "timeout": "It took too long and was stopped.",
    "stalled": "It made no progress and was stopped.",
    "unexpected": "Something went wrong on our side.",
    "worker_lost": "The worker stopped responding three times.",
}


def history_entries(
    job: DownloadJob, events: Iterable[JobEvent], now: datetime, others: Iterable[HistoryLine] = ()
) -> list[HistoryLine]:
    """Return past events and `others` by time, then what is running, then what will happen next."""
    icon = status_icon(job, now)
    lines = [*(_past(event, KINDS[job.kind], now) for event in events), *others]
    lines.sort(key=lambda line: line.at or now)  # stable: events are in their order
    if icon == "working":
        lines.append(HistoryLine(job.message, icon=icon, when="now", mark="now"))
    return [*lines, *_ahead(job, icon, now)]


def _ahead(job: DownloadJob, icon: str, now: datetime) -> Iterator[HistoryLine]:
    if icon == "working" and (left := estimates.estimated_seconds_left(job, now.timestamp())):
        word = word_of("ready", has_file=KINDS[job.kind].makes_file)
        yield _ahead_at(f"{word} (estimate)", now + timedelta(seconds=left), now)
    elif icon == "waiting":
        yield _ahead_at(f"{attempt_progress_text(job).capitalize()} starts", job.available_at, now)
    elif icon == "scheduled":
        yield _ahead_at("Starts", job.available_at, now)
    elif icon == "held":
        yield HistoryLine(f"Starts {waiting_text(job)}", mark="ahead")
    elif icon == "ready" and job.expires_at:
        text = f"The file will be deleted. {KINDS[job.kind].after_expiry}"
        yield HistoryLine(text, when=day_text(job.expires_at, now, short=True), mark="ahead")


def _ahead_at(text: str, at: datetime, now: datetime) -> HistoryLine:
    return HistoryLine(text, at=at, when=clock_text(at, now), mark="ahead")


def _past(event: JobEvent, kind: Kind, now: datetime) -> HistoryLine:
    text, more, icon = _texts(event, kind)
    return HistoryLine(text, more, icon, event.at, clock_text(event.at, now))


def _texts(event: JobEvent, kind: Kind) -> tuple[str, str, str]:
    """Return the text, a second one in small print, and a icon."""
    who = "an operator" if event.by == Actor.OPERATOR else "you"
    went_wrong = WENT_WRONG.get(event.code) or job_error_codes().get(event.code, UNKNOWN)
    failed = (f"Failed: {went_wrong[0].lower()}{went_wrong[1:]}", "", "failed")
    return {
        Event.SUBMIT: (kind.created, event.detail and f"With the API key {event.detail}…", ""),
        Event.RELEASE: ("The downloads it depends on are ready", "", ""),
        Event.DEPENDENCY_FAILED: failed,
        Event.CLAIM: (f"Attempt {event.attempt} started", "", ""),
        Event.SUCCEED: ("Ready to download" if kind.makes_file else "Done", "", "ready"),
        Event.RETRY: (went_wrong, "We'll retry automatically.", "waiting"),
        Event.FAIL: failed,
        Event.HAND_BACK: ("The worker was stopped.", "Another one will take over.", "waiting"),
        Event.RESCUE: (
            "The worker stopped responding.",
            "Another one will take over. This doesn't count as an attempt.",
            "waiting",
        ),
        Event.CANCEL: (f"Cancelled by {who}", "", "cancelled"),
        Event.REQUEUE: (f"Retried by {who}", "", ""),
        Event.EXPIRE: ("Expired", "The file was deleted.", "expired"),
        Event.CHANGE_PRIORITY: (f"Priority changed by {who}", "", ""),
    }[Event(event.event)]


def history_details(job: DownloadJob, now: datetime) -> list[Detail]:
    """Return what the page lists about the job under Details."""
    found = [Detail("ID", str(job.pk))]
    if job.is_finished:
        found.append(Detail("Attempts", str(job.attempt)))
    else:
        found.append(Detail("Attempt", attempt_progress_text(job).removeprefix("attempt ")))
        found += _terms(job, now)
    times = [("Started", job.started_at), ("Finished", job.finished_at)]
    found += [Detail(term, moment_text(at, now), at) for term, at in times if at]
    if status_icon(job, now) == "working":
        found += [Detail(*fact) for fact in KINDS[job.kind].progress_facts(job).items()]
    if status_icon(job, now) == "ready":
        found += [Detail(*fact) for fact in KINDS[job.kind].file_facts(job).items()]
    if job.artifact and job.artifact.file_id:
        found.append(Detail("File no.", "can be added to a zip", file_id=job.artifact.file_id))
    if job.artifact and job.expires_at:
        found.append(Detail("Kept until", moment_text(job.expires_at, now), job.expires_at))
        found.append(Detail("SHA-256", job.artifact.sha256))
    if job.error_code:
        found.append(Detail("Error code", job.error_code))
    return found


def _terms(job: DownloadJob, now: datetime) -> Iterator[Detail]:
    """Yield the options of the request that still apply."""
    if job.run_at and job.run_at > now:
        yield Detail("Scheduled for", moment_text(job.run_at, now), job.run_at)
    if job.priority != USUAL_PRIORITY:
        yield Detail("Priority", f"{job.priority} of 9")
    channels = ["Email"] if job.email else []
    if job.webhook:  # only the host: the rest may be a secret
        channels.append(
            f"{'webhook' if channels else 'Webhook'} to {urlsplit(job.webhook).hostname}"
        )
    if channels:
        yield Detail("Notifications", ", ".join(channels))
