"""Errors of every part: of jobs, requests and messages."""

from __future__ import annotations


class JobError(Exception):
    """Base of the errors that this project raises on purpose."""


class StaleJob(JobError):
    """The job is no longer in the status or attempt that the caller last saw."""


class NothingReady(JobError):
    """A queue has no job that may start now."""


class KeyReused(JobError):
    """The idempotency key belongs to a different request."""


class OwnerBusy(JobError):
    """Another request holds this owner's lock."""


class Undelivered(JobError):
    """A mail or webhook was not delivered. The message is one sentence for people.

    It names the host of a URL, never its path. `after_seconds` is the receiver's Retry-After.
    """

    def __init__(self, sentence: str, *, for_good: bool = False, after_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.for_good = for_good
        self.after_seconds = after_seconds


class Interrupted(BaseException):
    """Raised inside a builder, at any point, to stop it.

    Not an Exception: botocore converts every Exception that passes through it and retries, and a
    builder must not catch this by accident. `limit_seconds` is the limit that was exceeded.
    """

    def __init__(
        self,
        *,
        cancelled: bool = False,
        timed_out: bool = False,
        stalled: bool = False,
        limit_seconds: int = 0,
    ) -> None:
        reasons = {
            "no progress": stalled,
            "time limit exceeded": timed_out,
            "the job was cancelled": cancelled,
            "the attempt lost its job": True,
        }
        super().__init__(next(reason for reason, applies in reasons.items() if applies))
        self.timed_out, self.stalled, self.limit_seconds = timed_out, stalled, limit_seconds
