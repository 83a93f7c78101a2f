"""What polls and event streams share: read the caller's job, and count the request as a poll."""

from __future__ import annotations

from jobs.web import rates
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.job_reader import JobReader
from jobs.web.asgi.job_source import OwnJob
from jobs.web.asgi.postgres_commands import PostgresUnavailable, StatementFailed
from jobs.web.asgi.rate_counter import RateCounter
from jobs.web.asgi.request import NativeRequest
from jobs.web.converters import JobIdConverter
from jobs.web.rate_counting import RatesUnknown
from jobs.web.rates import RateCount

JOB_ID = JobIdConverter.regex  # in a URL; jobs are cached by their lower-case ids
NO_JOB = "00000000-0000-0000-0000-000000000000"


class Polls:
    def __init__(self, jobs: JobReader, counter: RateCounter) -> None:
        self._jobs = jobs
        self._counter = counter

    async def own(self, caller: Caller, job_id: str, *, seen: int = 0) -> OwnJob | None:
        """Return the caller's job; None if Django has to answer.

        `seen` is the version that the client has, if any.
        """
        try:
            return await self._jobs.own(caller, job_id, seen=seen)
        except (PostgresUnavailable, StatementFailed):
            return None

    async def count(self, request: NativeRequest, caller: Caller) -> list[RateCount] | None:
        """Count the request. Return None if a rate is exceeded, no counts while Redis is down."""
        forwarded = request.text(b"x-forwarded-for")
        callers = rates.rated_callers(request.peer, forwarded, caller.user_id)
        try:
            counts = await self._counter.count("poll", callers)
        except RatesUnknown:
            return []
        return None if any(count.is_exceeded for count in counts) else counts
