"""A job is watched by server-sent events, and by polls that wait."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.lib.changes import CHANNEL
from jobs.models import DownloadJob
from jobs.states import Actor, Status
from jobs.web.asgi import watchers
from tests.asgi.both import Native, ask_django, bearer
from tests.factories import JobFactory

EVENTS = "/v1/download/events/{}"
STATUS = "/v1/download/status/{}"
STREAM = "text/event-stream"


class Stream:
    """A request whose response is read while it is sent."""

    def __init__(self, native: Native, path: str, *, query: str = "", **headers: str) -> None:
        self.start: dict[str, Any] = {}
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.native = native
        scope = native.scope(path, "GET", query, headers)
        self.task = native.loop.create_task(native.endpoints(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.pieces.put_nowait(message["body"] if message.get("more_body") else b"")

    async def piece(self, seconds: float = 5) -> bytes:
        """Return the next piece of the body; empty at the end."""
        return await asyncio.wait_for(self.pieces.get(), seconds)

    async def event(self, seconds: float = 5) -> dict[str, Any]:
        piece = await self.piece(seconds)
        assert piece.startswith(b"retry: 3000\nid: "), piece
        assert piece.endswith(b"\n\n")
        return dict(json.loads(piece.partition(b"data: ")[2]))


def test_ids_of_events_are_case_insensitive(native: Native, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED)
    upper, request_headers = str(job.pk).upper(), {"authorization": bearer(alice), "accept": STREAM}

    one = native.request(EVENTS.format(upper), **request_headers)
    both = native.request(EVENTS[:-3], query=f"jobs={upper},{job.pk}", **request_headers)
    theirs = ask_django(f"{EVENTS[:-3]}?jobs={upper},{job.pk}", **request_headers)

    assert one
    assert both
    assert one.content.count(b"id: ") == both.content.count(b"id: ") == 1
    assert both.content.count(b"data: ") == theirs.content.count(b"data: ") == 1


def in_thread(act: Any) -> Any:
    """Run it outside the loop's thread, where Django's ORM is not allowed."""

    def run() -> Any:
        from django.db import connection

        try:
            return act()
        finally:
            connection.close()

    return asyncio.to_thread(run)


@pytest.fixture
def slow_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only announced changes are noticed in time."""
    monkeypatch.setattr(watchers, "QUERY_SECONDS", 60)


@pytest.fixture
def job(alice: User) -> DownloadJob:
    made: DownloadJob = JobFactory(owner=alice)
    return made


def test_each_change_is_an_event_and_the_last_one_ends_the_stream(
    native: Native, alice: User, job: DownloadJob
) -> None:
    async def watch() -> None:
        stream = Stream(native, EVENTS.format(job.pk), authorization=bearer(alice), accept=STREAM)
        assert (await stream.event())["status"] == "queued"

        await in_thread(lambda: job.claim(task_id="t", worker="w"))
        assert (await stream.event())["status"] == "processing"
        await in_thread(lambda: job.heartbeat(done=400, message="Adding 1 of 2"))
        assert (await stream.event())["message"] == "Adding 1 of 2"
        await in_thread(lambda: job.cancel(Actor.OWNER))
        assert (await stream.event())["status"] == "cancelled"

        assert await stream.piece() == b""
        assert await stream.task is None
        assert dict(stream.start["headers"])[b"content-type"] == STREAM.encode()

    native.run(watch())


def test_an_announced_change_is_sent_at_once(
    native: Native, alice: User, job: DownloadJob, slow_queries: None, settings: Any
) -> None:
    async def watch() -> None:
        stream = Stream(native, EVENTS.format(job.pk), authorization=bearer(alice), accept=STREAM)
        await stream.event()
        client = redis.Redis.from_url(settings.CACHE_URL)
        while not client.pubsub_numsub(CHANNEL)[0][1]:
            await asyncio.sleep(0.01)

        await in_thread(lambda: job.cancel(Actor.OWNER))

        assert (await stream.event())["status"] == "cancelled"

    native.run(watch())


def test_an_unannounced_change_is_sent_within_a_second(
    native: Native, alice: User, job: DownloadJob, settings: Any
) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/0"  # no change is announced

    async def watch() -> None:
        stream = Stream(native, EVENTS.format(job.pk), authorization=bearer(alice), accept=STREAM)
        await stream.event()

        await in_thread(lambda: job.cancel(Actor.OWNER))

        assert (await stream.event())["status"] == "cancelled"

    native.run(watch())


def test_several_jobs_are_watched_by_one_stream(native: Native, alice: User) -> None:
    jobs = [JobFactory(owner=alice) for _ in range(3)]
    ids = [str(job.pk) for job in jobs]

    async def watch() -> None:
        named = {"authorization": bearer(alice), "accept": STREAM}
        query = f"jobs={','.join(ids)}"
        stream = Stream(native, "/v1/download/events", query=query, **named)
        first = await stream.piece()
        assert [first.count(each.encode()) > 0 for each in ids] == [True] * 3

        for job in reversed(jobs):
            await in_thread(lambda job=job: job.cancel(Actor.OWNER))
            event = await stream.event()
            assert (event["jobId"], event["status"]) == (str(job.pk), "cancelled")

        assert await stream.piece() == b""

    native.run(watch())


@pytest.mark.parametrize("query", ["", "jobs=", "jobs=7", "jobs={own},{others}", "jobs={own}&a=b"])
def test_invalid_requests_are_left_to_django(
    native: Native, alice: User, bob: User, query: str
) -> None:
    own, others = JobFactory(owner=alice), JobFactory(owner=bob)
    query = query.format(own=own.pk, others=others.pk)

    assert native.request("/v1/download/events", query=query, authorization=bearer(alice)) is None

    answer = ask_django(f"/v1/download/events?{query}", authorization=bearer(alice))
    assert answer.status == (403 if str(others.pk) in query else 400)


def test_a_client_with_the_current_version_gets_only_the_next_one(
    native: Native, alice: User, job: DownloadJob
) -> None:
    async def watch() -> None:
        named = {"authorization": bearer(alice), "last_event_id": f"{job.pk}-{job.version}"}
        stream = Stream(native, EVENTS.format(job.pk), **named)
        assert await stream.piece() == b": still here\n\n"

        await in_thread(lambda: job.cancel(Actor.OWNER))

        assert (await stream.event())["status"] == "cancelled"

    native.run(watch())


def test_the_final_version_gets_204(native: Native, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED)

    answer = native.request(
        EVENTS.format(job.pk), authorization=bearer(alice), last_event_id=f"{job.pk}-{job.version}"
    )

    assert answer is not None
    assert (answer.status, answer.content) == (204, b"")


def test_a_closed_account_ends_the_stream(native: Native, alice: User, job: DownloadJob) -> None:
    async def watch() -> None:
        stream = Stream(native, EVENTS.format(job.pk), authorization=bearer(alice))
        await stream.event()

        await in_thread(lambda: User.objects.filter(pk=alice.pk).update(is_active=False))
        await in_thread(
            lambda: job.heartbeat(done=1, message="") or job.claim(task_id="", worker="")
        )

        assert await stream.piece() == b""

    native.run(watch())


def test_a_stream_ends_with_its_token(
    native: Native, alice: User, job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch() -> None:
        stream = Stream(native, EVENTS.format(job.pk), authorization=bearer(alice))
        await stream.event()
        later = timezone.now().timestamp() + 16 * 60
        monkeypatch.setattr("jobs.web.asgi.events.time.time", lambda: later)
        monkeypatch.setattr("jobs.web.asgi.events.COMMENT_SECONDS", 0)

        while piece := await stream.piece():
            assert piece == b": still here\n\n"

    monkeypatch.setattr("jobs.web.asgi.events.COMMENT_SECONDS", 0.2)
    native.run(watch())


def test_a_process_that_stops_ends_its_streams(
    native: Native, alice: User, job: DownloadJob
) -> None:
    async def watch() -> None:
        path, who = EVENTS.format(job.pk), bearer(alice)
        stream = Stream(native, path, authorization=who)
        await stream.event()

        native.endpoints.end_streams()

        assert await stream.piece() == b""
        assert await native.arequest(path, authorization=who) is None

    native.run(watch())


def test_a_session_can_watch_too(native: Native, alice: User, bob: User, job: DownloadJob) -> None:
    def cookie(user: User) -> str:
        client = Client()
        client.force_login(user)
        return f"sessionid={client.cookies['sessionid'].value}"

    own, others = cookie(alice), cookie(bob)

    async def watch() -> None:
        stream = Stream(native, EVENTS.format(job.pk), cookie=own, accept=STREAM)
        assert (await stream.event())["jobId"] == str(job.pk)
        stream.task.cancel()
        for wrong in (others, "sessionid=x", "a=b", "sessionid=" + "y" * 32):
            assert await native.arequest(EVENTS.format(job.pk), cookie=wrong) is None

    native.run(watch())


def test_foreign_jobs_are_left_to_django(
    native: Native, alice: User, bob: User, job: DownloadJob
) -> None:
    path = EVENTS.format(job.pk)
    for headers in ({}, {"authorization": bearer(bob)}, {"authorization": "Bearer x"}):
        assert native.request(path, **headers) is None
    assert ask_django(path).status == 401
    assert ask_django(path, authorization=bearer(bob)).status == 403
    assert ask_django(path, authorization=bearer(bob)).json["code"] == "permission_denied"


def test_django_sends_one_event_and_a_retry_interval(
    alice: User, job: DownloadJob, db: None
) -> None:
    answer = ask_django(EVENTS.format(job.pk), authorization=bearer(alice), accept=STREAM)

    assert answer.status == 200
    assert answer.headers["content-type"] == STREAM
    assert answer.content.startswith(f"retry: 3000\nid: {job.pk}-1\ndata: {{".encode())


def test_one_user_cannot_use_all_streams(
    native: Native, alice: User, bob: User, job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "MAX_WATCHES", 4)
    bobs = JobFactory(owner=bob)

    async def watch() -> None:
        path, who = EVENTS.format(job.pk), bearer(alice)
        streams = [Stream(native, path, authorization=who) for _ in range(2)]
        for stream in streams:
            await stream.event()

        assert await native.arequest(path, authorization=who) is None
        other = Stream(native, EVENTS.format(bobs.pk), authorization=bearer(bob))
        assert (await other.event())["userId"] == str(bob.pk)
        for stream in (*streams, other):
            stream.task.cancel()
        await asyncio.sleep(0)
        again = Stream(native, path, authorization=who)
        await again.event()

    native.run(watch())


@pytest.mark.usefixtures("constant_etag")
class TestPollsThatWait:
    def test_a_change_ends_the_wait(self, native: Native, alice: User, job: DownloadJob) -> None:
        path, who = STATUS.format(job.pk), bearer(alice)
        seen = ask_django(path, authorization=who).headers["etag"]

        async def wait() -> None:
            named = {"authorization": who, "if_none_match": seen, "prefer": "wait=20"}
            poll = native.loop.create_task(native.arequest(path, **named))
            await asyncio.sleep(0.3)
            assert not poll.done()

            await in_thread(lambda: job.cancel(Actor.OWNER))

            answer = await asyncio.wait_for(poll, 5)
            assert answer is not None
            assert (answer.status, answer.json["status"]) == (200, "cancelled")
            assert answer.headers["preference-applied"] == "wait=20"
            assert answer.headers["etag"] != seen

        native.run(wait())

    @pytest.mark.parametrize("prefer", ["wait=1", 'Wait="1"', "wait = 1", "respond-async, wait=1"])
    def test_without_a_change_it_is_304_when_the_time_is_over(
        self, native: Native, alice: User, job: DownloadJob, prefer: str
    ) -> None:
        path, who = STATUS.format(job.pk), bearer(alice)
        seen = ask_django(path, authorization=who).headers["etag"]

        answer = native.request(path, authorization=who, if_none_match=seen, prefer=prefer)

        assert answer is not None
        assert (answer.status, answer.headers["preference-applied"]) == (304, "wait=1")

    @pytest.mark.parametrize(
        "prefer", ["wait", "wait=x", "respond-async", "wait=0", "swait=9", 'wait="9']
    )
    def test_other_preferences_are_ignored(
        self, native: Native, alice: User, job: DownloadJob, prefer: str
    ) -> None:
        path, who = STATUS.format(job.pk), bearer(alice)
        seen = ask_django(path, authorization=who).headers["etag"]

        answer = native.request(path, authorization=who, if_none_match=seen, prefer=prefer)

        assert answer is not None
        assert answer.status == 304
        assert "preference-applied" not in answer.headers

    def test_without_if_none_match_it_responds_at_once(
        self, native: Native, alice: User, job: DownloadJob
    ) -> None:
        path = STATUS.format(job.pk)

        answer = native.request(path, authorization=bearer(alice), prefer="wait=20")

        assert answer is not None
        assert answer.status == 200
        assert "preference-applied" not in answer.headers
