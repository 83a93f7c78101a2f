"""The state machine of a job, as one table.

Only `DownloadJob._move` (models/job.py) writes a status, as MOVES allows. To change which status
may follow which, edit the table; tests/test_states.py checks every cell of it.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import TextChoices

WAITING = "Waiting for a worker"  # the message of a queued job


class Status(TextChoices):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Event(TextChoices):
    SUBMIT = "submit"  # the row is created; it has no status before
    RELEASE = "release"  # all its dependencies are completed
    # One of its dependencies failed or was cancelled. The stored value is older than the name.
    DEPENDENCY_FAILED = "skip", "Skip"
    CLAIM = "claim"  # a worker starts the job; the attempt number goes up
    SUCCEED = "succeed"  # the artifact is in object storage
    RETRY = "retry"  # the attempt failed; the next one starts after a backoff
    FAIL = "fail"  # no attempt is left, or the error is permanent
    HAND_BACK = "hand_back"  # the worker is stopping and returns the job to the queue
    RESCUE = "rescue"  # the worker died or stopped responding; the job is queued again
    CANCEL = "cancel"  # by the owner or an operator
    REQUEUE = "requeue"  # the owner or an operator runs it again
    EXPIRE = "expire"  # the artifact expired
    CHANGE_PRIORITY = "set_priority", "Change priority"  # by an operator


class Actor(TextChoices):
    OWNER = "owner"
    OPERATOR = "operator"
    WORKER = "worker"
    DISPATCHER = "dispatcher"


class Move(NamedTuple):
    """The statuses in which an event can happen, and the status that it leads to."""

    sources: frozenset[Status]
    target: Status
    any_attempt: bool = False  # True: also for callers that do not know the current attempt


def _from(*sources: Status, to: Status, any_attempt: bool = False) -> Move:
    return Move(frozenset(sources), to, any_attempt)


S = Status
MOVES: dict[Event, Move] = {
    Event.RELEASE: _from(S.QUEUED, to=S.QUEUED),
    Event.DEPENDENCY_FAILED: _from(S.QUEUED, to=S.FAILED),
    Event.CLAIM: _from(S.QUEUED, to=S.PROCESSING, any_attempt=True),  # messages have none
    Event.SUCCEED: _from(S.PROCESSING, to=S.COMPLETED),
    Event.RETRY: _from(S.PROCESSING, to=S.QUEUED),
    Event.FAIL: _from(S.PROCESSING, to=S.FAILED),
    Event.HAND_BACK: _from(S.PROCESSING, to=S.QUEUED),
    Event.RESCUE: _from(S.PROCESSING, to=S.QUEUED),
    Event.CANCEL: _from(S.QUEUED, S.PROCESSING, to=S.CANCELLED, any_attempt=True),
    Event.REQUEUE: _from(S.FAILED, S.CANCELLED, S.EXPIRED, to=S.QUEUED),
    Event.EXPIRE: _from(S.COMPLETED, to=S.EXPIRED),
    Event.CHANGE_PRIORITY: _from(S.QUEUED, to=S.QUEUED, any_attempt=True),
}

ACTIVE = frozenset({S.QUEUED, S.PROCESSING})
FINAL = frozenset(S) - ACTIVE
DONE = frozenset({S.COMPLETED, S.EXPIRED})  # the work was done; the file may have expired
LOST = FINAL - DONE
ENDS = frozenset(
    {Event.SUCCEED, Event.FAIL, Event.DEPENDENCY_FAILED, Event.CANCEL}
)  # the events that people are notified of
