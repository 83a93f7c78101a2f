"""The status poll: `GET /v1/download/status/{id}` and its other addresses.

`Prefer: wait=20` with an If-None-Match that is still current waits so long for a change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from django.core.handlers.wsgi import WSGIHandler

from jobs import rates
from jobs.asgi.answer import FixedHeaders, send_json
from jobs.asgi.callers import Caller
from jobs.asgi.jobs import OwnJob
from jobs.asgi.polls import ID, NOBODY, Polls
from jobs.asgi.request import NativeRequest, Scope, Send
from jobs.asgi.watchers import Ended, TooMany, Watch, Watchers
from jobs.http import etag, has_seen, poll_headers
from jobs.models import JobRow
from jobs.representation import Body, link_body, report_body, upload_body

MAX_WAIT_SECONDS = 30  # proxies give up what is silent for a minute
WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,4})(?=$|[,;\s])")  # of RFC 7240
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


class StatusPoll:
    """Answers 200 and 304; what it is not sure of is left to Django."""

    def __init__(self, polls: Polls, watchers: Watchers, django: WSGIHandler) -> None:
        self._polls = polls
        self._watchers = watchers
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
        found = await self._polls.own(caller, address[address.lastindex + 1])
        if found is None or (variant is report_body and found.job.kind != "report"):
            return False
        counts = await self._polls.count(request, caller)
        if counts is None:
            return False
        own: dict[str, str] = {}
        if self._has_seen(request, found) and (seconds := _preferred_seconds(request, found)):
            waited = await self._wait(request, caller, found, seconds)
            if waited is None:
                return False
            found, own = waited, {"Preference-Applied": f"wait={seconds}"}
        is_known = self._has_seen(request, found)
        own |= poll_headers(found.job)
        own |= rates.headers(counts)
        status = HTTPStatus.NOT_MODIFIED if is_known else HTTPStatus.OK
        body = None if is_known else variant(found.job, found.body())
        await send_json(send, request, status, self._headers[number].of(request), own, body)
        return True

    def _has_seen(self, request: NativeRequest, found: OwnJob) -> bool:
        return has_seen(request.text(b"if-none-match"), etag(found.job))

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
    return min(int(preferred[1]), MAX_WAIT_SECONDS)
