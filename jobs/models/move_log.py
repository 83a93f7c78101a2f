"""One line of the log for every move of a job, written after its transaction has committed.

Lines have ids, numbers and words of ours. Names of files, links, addresses and sentences of errors
are in the job's history only.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction

from jobs.lib.log_lines import LineFormat, batched_lines, log_line
from jobs.states import Actor, Event, Status

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob

log = structlog.get_logger(__name__)

SUBMITTED = "submitted"
PAST = {
    Event.SUBMIT: SUBMITTED,
    Event.RELEASE: "released",
    Event.DEPENDENCY_FAILED: "failed",
    Event.CLAIM: "claimed",
    Event.SUCCEED: "succeeded",
    Event.RETRY: "retried",
    Event.FAIL: "failed",
    Event.HAND_BACK: "handed back",
    Event.RESCUE: "rescued",
    Event.CANCEL: "cancelled",
    Event.REQUEUE: "requeued",
    Event.EXPIRE: "expired",
    Event.CHANGE_PRIORITY: "priority changed",
}
# These end an attempt that ran until now.
ENDS_OF_ATTEMPTS = {Event.SUCCEED, Event.RETRY, Event.FAIL, Event.HAND_BACK, Event.RESCUE}


def log_move(job: DownloadJob, event: Event, by: Actor, *, code: str = "") -> None:
    """Log that the event happened, after the commit. `job` is as the event has left it."""
    fields = {
        "job_id": str(job.pk),
        "request_id": job.request_id,
        "kind": job.kind,
        "attempt": job.attempt,
        "status": job.status,
        "by": by.value,
    }
    if code:
        fields["code"] = code
    if event == Event.CLAIM:
        fields |= {"worker": job.worker, "total": job.total}
        fields["waited_seconds"] = _seconds(job.available_at, job.started_at)
    elif event in ENDS_OF_ATTEMPTS:
        fields |= {"worker": job.worker, "seconds": _seconds(job.started_at, job.updated_at)}
    if event == Event.RETRY:
        fields["retry_in_seconds"] = _seconds(job.updated_at, job.available_at)
    write = log.warning if event == Event.RESCUE else log.info
    transaction.on_commit(partial(_write, write, PAST[event], fields))


def _write(write: Any, event: str, fields: dict[str, Any]) -> None:
    """Write the line. If another request caused the move, it also has that request's id."""
    current = structlog.contextvars.get_contextvars().get("request_id")
    if current and current != fields["request_id"]:
        fields["by_request_id"] = current
    write(event, **fields)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None


def log_submission(job_id: str, kind: str, request_id: str, api_key: str) -> None:
    """Log that the event loop of the web process recorded a job, at a tenth of the usual cost.

    `api_key` is the prefix of the key that started it, if one did.
    """
    if not LineFormat.has_info:
        return
    names: dict[str, Any] = {"job_id": job_id, "request_id": request_id, "kind": kind, "attempt": 0}
    names |= {"status": Status.QUEUED.value, "by": Actor.OWNER.value, "logger": __name__}
    if api_key:
        names["api_key"] = api_key
    batched_lines.add(log_line(SUBMITTED, **names))
