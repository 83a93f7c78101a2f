"""What polls and event streams have in common: the caller's job, counted in the rate of polls."""

from __future__ import annotations

from jobs.web import rates
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.jobs import Jobs, OwnJob
from jobs.web.asgi.postgres import Refused, Unavailable
from jobs.web.asgi.rate_counter import RateCounter
from jobs.web.asgi.request import NativeRequest
from jobs.web.converters import JobIdConverter
from jobs.web.rates import Count, RatesUnknown

ID = JobIdConverter.regex  # of a job, in an address; jobs are remembered by lower case
NOBODY = "00000000-0000-0000-0000-000000000000"  # no job's


class Polls:
    def __init__(self, jobs: Jobs, counter: RateCounter) -> None:
        self._jobs = jobs
        self._counter = counter

    async def own(self, caller: Caller, job_id: str) -> OwnJob | None:
        """The caller's job; None where Django shall say what there is to say."""
        try:
            return await self._jobs.own(caller, job_id)
        except (Unavailable, Refused):
            return None

    async def count(self, request: NativeRequest, caller: Caller) -> list[Count] | None:
        """How the caller stands; None where a rate is exceeded. Empty while Redis is silent."""
        forwarded = request.text(b"x-forwarded-for")
        callers = rates.callers(request.peer, forwarded, caller.user_id)
        try:
            counts = await self._counter.count("poll", callers)
        except RatesUnknown:
            return []
        return None if any(count.is_exceeded for count in counts) else counts
