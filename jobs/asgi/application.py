"""Which native endpoint a request goes to, if any."""

from __future__ import annotations

from django.core.handlers.wsgi import WSGIHandler

from jobs.asgi.events import Events
from jobs.asgi.jobs import Jobs
from jobs.asgi.polls import Polls
from jobs.asgi.rate_counter import RateCounter
from jobs.asgi.request import Receive, Scope, Send
from jobs.asgi.status import StatusPoll
from jobs.asgi.watchers import Watchers


class NativeEndpoints:
    """Those of one process. Made once the process serves: connections belong to its loop."""

    def __init__(self, django: WSGIHandler) -> None:
        self.jobs = Jobs()
        self._counter = RateCounter()
        self._watchers = Watchers(self.jobs)
        polls = Polls(self.jobs, self._counter)
        self._status = StatusPoll(polls, self._watchers, django)
        self._events = Events(polls, self._watchers, django)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer, or return False, having sent nothing: then it is Django's."""
        if scope["method"] == "GET":
            return await self._status(scope, send) or await self._events(scope, send)
        return False

    def close(self) -> None:
        self._watchers.close()
        self.jobs.close()
        self._counter.close()
