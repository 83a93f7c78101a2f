"""`GET /v1/download/events/{id}`: a job as server-sent events, one for each change.

The first event is the job as it is, the last one how it ended. A stream ends with the token that it
was asked for with, or some minutes after a session was looked up; browsers then ask again by
themselves, and name the last version that they have.
"""

from __future__ import annotations

import asyncio
import re
import time
from http import HTTPStatus

from django.core.handlers.wsgi import WSGIHandler
from django.db import DatabaseError

from jobs import rates
from jobs.asgi.answer import FixedHeaders, send_head
from jobs.asgi.callers import Caller, caller_of_session
from jobs.asgi.jobs import OwnJob
from jobs.asgi.polls import ID, NOBODY, Polls
from jobs.asgi.request import NativeRequest, Scope, Send
from jobs.asgi.watchers import TooMany, Watch, Watchers
from jobs.representation import EVENT_STREAM, event

ADDRESS = re.compile(f"/v1/download/events/({ID})")
COMMENT = b": still here\n\n"
COMMENT_SECONDS = 25  # proxies close what is silent for a minute


class Events:
    """Answers 200, and 204 where there is nothing left to tell: browsers ask no more after that."""

    def __init__(self, polls: Polls, watchers: Watchers, django: WSGIHandler) -> None:
        self._polls = polls
        self._watchers = watchers
        self._headers = FixedHeaders(django, "GET", f"/v1/download/events/{NOBODY}")

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """False where nothing was sent."""
        address = ADDRESS.fullmatch(scope["path"])
        request = NativeRequest.of(scope, accepts=EVENT_STREAM.encode()) if address else None
        if not (address and request and (caller := await self._caller(request))):
            return False
        found = await self._polls.own(caller, address[1])
        counts = await self._polls.count(request, caller) if found else None
        if found is None or counts is None:
            return False
        fixed, own = self._headers.of(request), rates.headers(counts)
        is_known = request.text(b"last-event-id") == str(found.job.version)
        if is_known and found.job.is_finished:
            await send_head(send, request, HTTPStatus.NO_CONTENT, fixed, own)
            await send({"type": "http.response.body", "body": b""})
            return True
        try:
            with Watch(self._watchers, caller, found.job.id, found.job.version) as watch:
                own |= {"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"}
                await send_head(send, request, HTTPStatus.OK, fixed, own)
                request.end_with_client()
                await _stream(send, watch, None if is_known else found)
        except TooMany:
            return False
        return True

    async def _caller(self, request: NativeRequest) -> Caller | None:
        cookie = request.headers.get(b"cookie")
        if request.caller or b"authorization" in request.headers or not cookie:
            return request.caller
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(None, caller_of_session, cookie)
        except DatabaseError:
            return None


async def _stream(send: Send, watch: Watch, found: OwnJob | None) -> None:
    """Send what changes until the job has ended, or the caller may no longer ask."""
    await _send_piece(send, event(found.job.version, found.body()) if found else COMMENT)
    while not (found and found.job.is_finished):
        left = watch.caller.expires_at - time.time()
        if left <= 0:
            break
        try:
            changed = await watch.change(min(COMMENT_SECONDS, left))
        except TimeoutError:
            await _send_piece(send, COMMENT)
            continue
        if changed is None:
            break
        found = changed
        await _send_piece(send, event(found.job.version, found.body()))
    await send({"type": "http.response.body", "body": b""})


async def _send_piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})
