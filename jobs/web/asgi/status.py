"""The status poll: `GET /v1/download/status/{id}` and its other addresses.

`Prefer: wait=20` with an If-None-Match that is still current waits so long for a change.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus

from django.core.handlers.wsgi import WSGIHandler

from jobs.models import JobRow
from jobs.web import rates
from jobs.web.api_responses import has_seen, poll_headers
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.jobs import OwnJob
from jobs.web.asgi.polls import ID, NOBODY, Polls
from jobs.web.asgi.request import Headers, NativeRequest, Scope, Send
from jobs.web.asgi.response import FixedHeaders, encoded, send_head
from jobs.web.asgi.watchers import Ended, TooMany, Watch, Watchers
from jobs.web.representation import Body, as_json, link_body, report_body, upload_body

REMEMBERED = 4_096  # answers, some 3 kB each
MAX_WAIT_SECONDS = 30  # proxies give up what is silent for a minute
# RFC 7240, 2: with blanks around the sign, and maybe in quotes.
WAIT = re.compile(
    r"(?:^|[,;\s])wait[ \t]*=[ \t]*(\"?)([0-9]{1,4})\1(?=$|[,;\s])", re.ASCII | re.IGNORECASE
)
Variant = Callable[[JobRow, Body], Body]

# Each address, and how a job looks there.
ADDRESSES: dict[str, Variant] = {
    "/v1/download/status/{}": lambda _, body: body,
    "/status/{}": upload_body,
    "/downloads/{}/status": link_body,
    "/reports/{}/status": report_body,
}
ADDRESS = re.compile(
    "|".join(f"({address.format(f'({ID})')})" for address in ADDRESSES)  # two groups each
)
VARIANTS = list(ADDRESSES.values())


class Rendered:
    """The answer to polls of one job in one second."""

    def __init__(self, found: OwnJob, variant: Variant, second: int) -> None:
        self.found = found
        self.second = second
        self._variant = variant
        own = poll_headers(found.job)
        self.etag = own["ETag"]
        self.headers = encoded(own)

    @cached_property
    def body(self) -> bytes:
        return as_json(self._variant(self.found.job, self.found.body()))

    @property
    def content_headers(self) -> Headers:
        length = b"%d" % len(self.body)
        return [(b"content-type", b"application/json"), (b"content-length", length)]


class StatusPoll:
    """Answers 200 and 304; what it is not sure of is left to Django."""

    def __init__(self, polls: Polls, watchers: Watchers, django: WSGIHandler) -> None:
        self._polls = polls
        self._watchers = watchers
        self._remembered: dict[tuple[int, str], Rendered] = {}
        self._headers = [
            FixedHeaders(django, "GET", address.format(NOBODY)) for address in ADDRESSES
        ]

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """False where nothing was sent."""
        address = None if scope["query_string"] else ADDRESS.fullmatch(scope["path"])
        request = NativeRequest.of(scope) if address else None
        if not (address and address.lastindex and request and request.caller):
            return False
        number = address.lastindex // 2  # of the two groups that matched, the id is the inner one
        caller, variant = request.caller, VARIANTS[number]
        found = await self._polls.own(caller, address[address.lastindex + 1].lower())
        if found is None or (variant is report_body and found.job.kind != "report"):
            return False
        counts = await self._polls.count(request, caller)
        if counts is None:
            return False
        rendered = self._rendered(number, found)
        own: dict[str, str] = {}
        if self._has_seen(request, rendered) and (seconds := _preferred_seconds(request, found)):
            waited = await self._wait(request, caller, found, seconds)
            if waited is None:
                return False
            rendered = self._rendered(number, waited)
            own["Preference-Applied"] = f"wait={seconds}"
        own |= rates.headers(counts)
        fixed = [*self._headers[number].of(request), *rendered.headers]
        if self._has_seen(request, rendered):
            await send_head(send, request, HTTPStatus.NOT_MODIFIED, fixed, own)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send_head(send, request, HTTPStatus.OK, fixed + rendered.content_headers, own)
            await send({"type": "http.response.body", "body": rendered.body})
        return True

    def _rendered(self, number: int, found: OwnJob) -> Rendered:
        """Made anew each second, since estimates and addresses change with time."""
        second, key = int(time.time()), (number, found.job.id)
        known = self._remembered.get(key)
        if known and known.found is found and known.second == second:
            return known
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        rendered = self._remembered[key] = Rendered(found, VARIANTS[number], second)
        return rendered

    def _has_seen(self, request: NativeRequest, rendered: Rendered) -> bool:
        seen = request.headers.get(b"if-none-match")
        return seen is not None and has_seen(seen.decode("latin-1"), rendered.etag)

    async def _wait(
        self, request: NativeRequest, caller: Caller, found: OwnJob, seconds: int
    ) -> OwnJob | None:
        """The job after it changed, or as it is; None where the caller may no longer see it."""
        request.end_with_client()
        watch = Watch(self._watchers, caller, {found.job.id: found.job.version})
        with suppress(Ended, TooMany, TimeoutError), watch:
            return (await watch.changes(seconds))[found.job.id]
        return found


def _preferred_seconds(request: NativeRequest, found: OwnJob) -> int:
    """How long to wait for a change; 0 for a client that does not ask for it."""
    preferred = WAIT.search(request.text(b"prefer"))
    if not preferred or found.job.is_finished:
        return 0
    return min(int(preferred[2]), MAX_WAIT_SECONDS)
