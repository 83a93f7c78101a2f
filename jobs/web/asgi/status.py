"""The status poll: `GET /v1/download/status/{id}` and its other addresses.

`Prefer: wait=20` waits up to 20 s for a change if the If-None-Match is still current.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus

from django.core.handlers.wsgi import WSGIHandler

from jobs.kinds.base import StatusAddress
from jobs.kinds.registry import KINDS
from jobs.web import rates
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.job_source import OwnJob
from jobs.web.asgi.polls import JOB_ID, NO_JOB, Polls
from jobs.web.asgi.request import Headers, NativeRequest, Scope, Send
from jobs.web.asgi.response import FixedResponseHeaders, encode_response_headers, send_response_head
from jobs.web.asgi.watchers import Ended, TooMany, Watch, Watchers
from jobs.web.poll_responses import poll_etag_matches, poll_headers, seen_version
from jobs.web.representation import representation_json

MAX_CACHED = 4_096  # responses, about 3 kB each
MAX_WAIT_SECONDS = 30  # proxies close a connection that is idle for a minute
# RFC 7240 section 2: there may be spaces around the sign, and quotes.
WAIT = re.compile(
    r"(?:^|[,;\s])wait[ \t]*=[ \t]*(\"?)([0-9]{1,4})\1(?=$|[,;\s])", re.ASCII | re.IGNORECASE
)
ADDRESS = StatusAddress("/v1/download/status/{}", lambda _, body: body)


class RenderedStatus:
    """The response to polls of one job within one second."""

    def __init__(self, found: OwnJob, address: StatusAddress, second: int) -> None:
        self.found = found
        self.second = second
        self._address = address
        own = poll_headers(found.job)
        self.etag = own["ETag"]
        self.headers = encode_response_headers(own)

    @cached_property
    def body(self) -> bytes:
        return representation_json(self._address.body(self.found.job, self.found.body()))

    @property
    def content_headers(self) -> Headers:
        length = b"%d" % len(self.body)
        return [(b"content-type", b"application/json"), (b"content-length", length)]


class StatusPoll:
    """Sends 200 and 304. Leaves everything else to Django."""

    def __init__(self, polls: Polls, watchers: Watchers, django: WSGIHandler) -> None:
        self._polls = polls
        self._watchers = watchers
        self._cached: dict[tuple[int, str], RenderedStatus] = {}
        self._addresses, self._only_kinds = [ADDRESS], [""]
        for kind in KINDS.values():
            self._addresses += kind.status_addresses
            self._only_kinds += [kind.name * each.is_exclusive for each in kind.status_addresses]
        paths = [each.path for each in self._addresses]
        # Two groups for each: the path, and in it the id.
        self._path = re.compile("|".join(f"({path.format(f'({JOB_ID})')})" for path in paths))
        self._headers = [FixedResponseHeaders(django, "GET", path.format(NO_JOB)) for path in paths]

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Return False if nothing was sent."""
        match = None if scope["query_string"] else self._path.fullmatch(scope["path"])
        request = NativeRequest.of(scope) if match else None
        if not (match and match.lastindex and request and request.caller):
            return False
        number = match.lastindex // 2  # of the two groups that matched, the id is the inner one
        caller, only_kind = request.caller, self._only_kinds[number]
        job_id = match[match.lastindex + 1].lower()
        seen = seen_version(request.text(b"if-none-match"), job_id)
        found = await self._polls.own(caller, job_id, seen=seen)
        if found is None or (only_kind and found.job.kind != only_kind):
            return False
        caller = caller.owned_by(found.job.owner_id)
        counts = await self._polls.count(request, caller)
        if counts is None:
            return False
        rendered = self._rendered(number, found)
        headers: dict[str, str] = {}
        if self._is_current(request, rendered) and (seconds := _preferred_seconds(request, found)):
            waited = await self._wait(request, caller, found, seconds)
            if waited is None:
                return False
            rendered = self._rendered(number, waited)
            headers["Preference-Applied"] = f"wait={seconds}"
        headers |= rates.rate_headers(counts)
        fixed = [*self._headers[number].of(request), *rendered.headers]
        if self._is_current(request, rendered):
            await send_response_head(send, request, HTTPStatus.NOT_MODIFIED, fixed, headers)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send_response_head(
                send, request, HTTPStatus.OK, fixed + rendered.content_headers, headers
            )
            await send({"type": "http.response.body", "body": rendered.body})
        return True

    def _rendered(self, number: int, found: OwnJob) -> RenderedStatus:
        """Return the response. It is cached for a second: estimates and presigned URLs change."""
        second, key = int(time.time()), (number, found.job.id)
        cached = self._cached.get(key)
        if cached and cached.found is found and cached.second == second:
            return cached
        if len(self._cached) >= MAX_CACHED:
            self._cached.clear()
        rendered = self._cached[key] = RenderedStatus(found, self._addresses[number], second)
        return rendered

    def _is_current(self, request: NativeRequest, rendered: RenderedStatus) -> bool:
        header = request.headers.get(b"if-none-match")
        return header is not None and poll_etag_matches(header.decode("latin-1"), rendered.etag)

    async def _wait(
        self, request: NativeRequest, caller: Caller, found: OwnJob, seconds: int
    ) -> OwnJob | None:
        """Wait for a change and return the job; None if the caller may no longer see it."""
        request.end_with_client()
        watch = Watch(self._watchers, caller, {found.job.id: found.job.version})
        with suppress(Ended, TooMany, TimeoutError), watch:
            return (await watch.changes(seconds))[found.job.id]
        return found


def _preferred_seconds(request: NativeRequest, found: OwnJob) -> int:
    """Return the seconds that the client prefers to wait for a change; 0 without a preference."""
    preferred = WAIT.search(request.text(b"prefer"))
    if not preferred or found.job.is_finished:
        return 0
    return min(int(preferred[2]), MAX_WAIT_SECONDS)
