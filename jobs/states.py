"""The life of a job, as one table.

Only `DownloadJob._move` (models.py) writes a status, and it obeys MOVES. To change what may
follow what, edit the table; tests/test_states.py checks every cell of it.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import TextChoices

WAITING = "Waiting for a worker"  # the message of a job that is queued


class Status(TextChoices):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Event(TextChoices):
    SUBMIT = "submit"  # the row is written; it has no status before
    RELEASE = "release"  # all that it was to wait for is completed
    SKIP = "skip"  # something that it was to wait for failed, or was cancelled
    CLAIM = "claim"  # a worker takes the job; the attempt number goes up
    SUCCEED = "succeed"  # the artifact is in object storage
    RETRY = "retry"  # this attempt failed; another is due after a backoff
    FAIL = "fail"  # no attempt is left, or another would not help
    HAND_BACK = "hand_back"  # the worker was told to stop and gives the job back
    RESCUE = "rescue"  # the worker went silent or died; the job goes back
    CANCEL = "cancel"  # the owner or an operator gave up on it
    REQUEUE = "requeue"  # the owner or an operator asks for the work again
    EXPIRE = "expire"  # the artifact's time is over


class Actor(TextChoices):
    OWNER = "owner"
    OPERATOR = "operator"
    WORKER = "worker"
    DISPATCHER = "dispatcher"


class Move(NamedTuple):
    sources: frozenset[Status]
    target: Status
    any_attempt: bool = False  # True: the caller need not hold the current attempt


def _from(*sources: Status, to: Status, any_attempt: bool = False) -> Move:
    return Move(frozenset(sources), to, any_attempt)


S = Status
MOVES: dict[Event, Move] = {
    Event.RELEASE: _from(S.QUEUED, to=S.QUEUED),
    Event.SKIP: _from(S.QUEUED, to=S.FAILED),
    Event.CLAIM: _from(S.QUEUED, to=S.PROCESSING, any_attempt=True),  # a message names none
    Event.SUCCEED: _from(S.PROCESSING, to=S.COMPLETED),
    Event.RETRY: _from(S.PROCESSING, to=S.QUEUED),
    Event.FAIL: _from(S.PROCESSING, to=S.FAILED),
    Event.HAND_BACK: _from(S.PROCESSING, to=S.QUEUED),
    Event.RESCUE: _from(S.PROCESSING, to=S.QUEUED),
    Event.CANCEL: _from(S.QUEUED, S.PROCESSING, to=S.CANCELLED, any_attempt=True),
    Event.REQUEUE: _from(S.FAILED, S.CANCELLED, S.EXPIRED, to=S.QUEUED),
    Event.EXPIRE: _from(S.COMPLETED, to=S.EXPIRED),
}

ACTIVE = frozenset({S.QUEUED, S.PROCESSING})
FINAL = frozenset(S) - ACTIVE
DONE = frozenset({S.COMPLETED, S.EXPIRED})  # the work was done, if its file may be gone by now
LOST = FINAL - DONE
ENDS = frozenset({Event.SUCCEED, Event.FAIL, Event.SKIP, Event.CANCEL})  # which people wait for
