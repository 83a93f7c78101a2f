"""Jobs as server-sent events, one for each change.

`GET /v1/download/events/{id}` watches one, `GET /v1/download/events?jobs={id},{id}` several. The
first event has the current state of a job, the last event its final state. A stream ends when the
token expires, or some minutes after the session or the API key was checked. Browsers then
reconnect, and send the id of the last event that they have.
"""

from __future__ import annotations

import asyncio
import re
import time
from http import HTTPStatus

from django.core.handlers.wsgi import WSGIHandler
from django.db import DatabaseError

from jobs.web import rates
from jobs.web.asgi.callers import SESSION_SECONDS, Caller, caller_of_session
from jobs.web.asgi.job_source import OwnJob
from jobs.web.asgi.polls import JOB_ID, NO_JOB, Polls
from jobs.web.asgi.request import NativeRequest, Scope, Send
from jobs.web.asgi.response import FixedResponseHeaders, send_response_head
from jobs.web.asgi.watchers import Ended, TooMany, Watch, Watchers
from jobs.web.representation import EVENT_STREAM, represent_event, represent_event_id

PATH = "/v1/download/events"
ONE = re.compile(f"{PATH}/({JOB_ID})")
SEVERAL = re.compile(rf"jobs=({JOB_ID}(?:,{JOB_ID}){{0,49}})".encode())  # MAX_WATCHED of them
COMMENT = b": still here\n\n"
COMMENT_SECONDS = 25  # proxies close a connection that is idle for a minute


class Events:
    """Sends 200; 204 if there will be no more events: browsers then stop to reconnect."""

    def __init__(self, polls: Polls, watchers: Watchers, django: WSGIHandler) -> None:
        self._polls = polls
        self._watchers = watchers
        self._headers = FixedResponseHeaders(django, "GET", f"{PATH}/{NO_JOB}")

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Return False if nothing was sent."""
        ids = _ids(scope)
        request = NativeRequest.of(scope, accepts=EVENT_STREAM.encode()) if ids else None
        if not (request and (caller := await self._caller(request))):
            return False
        last_id = request.text(b"last-event-id")
        found = [
            await self._polls.own(caller, job_id, seen=_seen_version(last_id, job_id))
            for job_id in ids
        ]
        jobs = [each for each in found if each]
        if len(jobs) < len(ids):
            return False
        caller = caller.owned_by(jobs[0].job.owner_id)
        counts = await self._polls.count(request, caller)
        if counts is None:
            return False
        headers = rates.rate_headers(counts)
        changed = [each for each in jobs if represent_event_id(each.job) != last_id]
        if not changed and all(each.job.is_finished for each in jobs):
            fixed = self._headers.of(request)
            await send_response_head(send, request, HTTPStatus.NO_CONTENT, fixed, headers)
            await send({"type": "http.response.body", "body": b""})
            return True
        versions = {each.job.id: each.job.version for each in jobs}
        try:
            with Watch(self._watchers, caller, versions) as watch:
                await self._begin(request, send, headers)
                await _stream(send, watch, jobs, changed)
        except TooMany:
            return False
        return True

    async def _begin(self, request: NativeRequest, send: Send, headers: dict[str, str]) -> None:
        headers |= {"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"}
        await send_response_head(send, request, HTTPStatus.OK, self._headers.of(request), headers)
        request.end_with_client()

    async def _caller(self, request: NativeRequest) -> Caller | None:
        if request.caller and request.caller.key:
            return request.caller._replace(expires_at=time.time() + SESSION_SECONDS)
        cookie = request.headers.get(b"cookie")
        if request.caller or b"authorization" in request.headers or not cookie:
            return request.caller
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(None, caller_of_session, cookie)
        except DatabaseError:
            return None


def _ids(scope: Scope) -> list[str]:
    """Return the job ids in the URL; none for another URL."""
    if one := ONE.fullmatch(scope["path"]):
        return [] if scope["query_string"] else [one[1].lower()]
    several = SEVERAL.fullmatch(scope["query_string"]) if scope["path"] == PATH else None
    return list(dict.fromkeys(several[1].decode().lower().split(","))) if several else []


def _seen_version(event_id: str, job_id: str) -> int:
    """Return the version of the job in the id of an event; 0 for another job."""
    event_job_id, _, version = event_id.rpartition("-")
    is_version = event_job_id == job_id and version.isdecimal() and len(version) < 10
    return int(version) if is_version else 0


async def _stream(send: Send, watch: Watch, jobs: list[OwnJob], changed: list[OwnJob]) -> None:
    """Send events until all jobs are finished, or the caller is no longer valid."""
    active = {each.job.id for each in jobs if not each.job.is_finished}
    await _send_piece(send, b"".join(map(_event, changed)) or COMMENT)
    while active:
        left = watch.caller.expires_at - time.time()
        if left <= 0:
            break
        try:
            changes = await watch.changes(min(COMMENT_SECONDS, left))
        except TimeoutError:
            await _send_piece(send, COMMENT)
            continue
        except Ended:
            break
        if None in changes.values():
            break
        changed = [each for each in changes.values() if each]
        await _send_piece(send, b"".join(map(_event, changed)))
        active -= {each.job.id for each in changed if each.job.is_finished}
    await send({"type": "http.response.body", "body": b""})


def _event(own: OwnJob) -> bytes:
    return represent_event(own.job, own.body())


async def _send_piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})
