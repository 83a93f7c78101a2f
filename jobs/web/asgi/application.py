"""Route requests to the native endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from jobs.web.asgi.events import Events
from jobs.web.asgi.job_reader import JobReader
from jobs.web.asgi.polls import Polls
from jobs.web.asgi.rate_counter import RateCounter
from jobs.web.asgi.request import Receive, Scope, Send
from jobs.web.asgi.starts import MAX_BODY_BYTES, Starts
from jobs.web.asgi.status import StatusPoll
from jobs.web.asgi.watchers import Watchers

ReadBody = Callable[[Scope, Receive, int], Awaitable[bytes]]  # of at most this many bytes


class NativeEndpoints:
    """The native endpoints of a process. They connect when they are first used."""

    def __init__(self, django: WSGIHandler, *, read_body: ReadBody) -> None:
        self._read_body = read_body
        self._counter = RateCounter()
        self.jobs = JobReader()
        self._watchers = Watchers(self.jobs)
        polls = Polls(self.jobs, self._counter)
        self._status = StatusPoll(polls, self._watchers, django)
        self._events = Events(polls, self._watchers, django)
        self._starts = starts_class()(self._counter, django)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Answer and return None; or send nothing and return the `receive` for Django."""
        if scope["method"] == "GET":
            is_answered = await self._status(scope, send) or await self._events(scope, send)
            return None if is_answered else receive
        if self._starts.is_start(scope):
            body = await self._read_body(scope, receive, MAX_BODY_BYTES)
            is_answered = await self._starts(scope, body, send)
            return None if is_answered else _ReplayedBody(body, receive)
        return receive

    def end_streams(self) -> None:
        """End all streams when the process stops: clients reconnect to another one."""
        self._watchers.end()

    def close(self) -> None:
        self._watchers.close()
        self._starts.close()
        self.jobs.close()
        self._counter.close()


def starts_class() -> type[Starts]:
    """Return the class that answers starts, which is another one if they are traced."""
    if not settings.TRACING:
        return Starts
    from jobs.web.asgi.traced_starts import TracedStarts

    return TracedStarts


class _ReplayedBody:
    """A `receive` that returns a body that was read before."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Any:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
