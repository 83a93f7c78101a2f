"""The native endpoints accept API keys as Django does, and refuse them at once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from jobs.lib import replica
from jobs.models import ApiKey, DownloadJob, Preferences
from jobs.states import Actor
from jobs.web.asgi import starts
from tests.asgi.both import Native, ask_django, bearer
from tests.asgi.test_events import STREAM, Stream, in_thread
from tests.asgi.test_native_status import comparable
from tests.factories import JobFactory, StoredFileFactory, make_key
from tests.live import until

pytestmark = pytest.mark.usefixtures("constant_etag", "queue_is_not_read", "broker")

INITIATE, STATUS, EVENTS = (f"/v1/download/{name}" for name in ("initiate", "status", "events"))
HOOK = "https://hooks.example.org/keys"
PLAIN = {"content_type": "application/json", "content_length": "21"}
BODY = b'{"file_ids": [70000]}'


@pytest.fixture
def job(alice: User) -> DownloadJob:
    found: DownloadJob = JobFactory(owner=alice)
    return found


def of_key(key: str) -> str:
    return f"Bearer {key}"


def start(native: Native, key: str, **headers: str) -> Any:
    named = PLAIN | {"authorization": of_key(key)} | headers
    return native.request(INITIATE, method="POST", body=BODY, **named)


def poll(native: Native, key: str, job: DownloadJob, **headers: str) -> Any:
    return native.request(f"{STATUS}/{job.pk}", authorization=of_key(key), **headers)


INVALID: dict[str, dict[str, Any]] = {
    "revoked": {"revoked_at": timezone.now()},
    "expired": {"expires_at": timezone.now()},
    "without the scope": {"scopes": ["upload", "admin"]},
}


def test_a_poll_is_the_same_in_both_ways(native: Native, job: DownloadJob, alice: User) -> None:
    key = make_key(alice, "read")

    ours = poll(native, key, job)
    theirs = ask_django(f"{STATUS}/{job.pk}", authorization=of_key(key))
    again = poll(native, key, job, if_none_match=ours.headers["etag"])

    assert comparable(ours) == comparable(theirs)
    assert again.status == 304


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_ignores_case(
    native: Native, job: DownloadJob, alice: User, scheme: str
) -> None:
    authorization = f"{scheme} {make_key(alice, 'read')}"

    assert native.request(f"{STATUS}/{job.pk}", authorization=authorization) is not None


@pytest.mark.parametrize("why", [*INVALID, "owner is inactive", "deleted"])
def test_the_next_poll_and_start_of_an_invalid_key_are_refused(
    native: Native, job: DownloadJob, alice: User, why: str
) -> None:
    StoredFileFactory(file_id=70000)
    key = make_key(alice)
    assert poll(native, key, job).status == 200
    assert start(native, key).status == 202

    if why in INVALID:
        ApiKey.objects.update(**INVALID[why])
    elif why == "deleted":
        ApiKey.objects.all().delete()
    else:
        User.objects.update(is_active=False)

    assert poll(native, key, job) is None
    assert start(native, key) is None
    assert DownloadJob.objects.count() == 2
    refused = ask_django(f"{STATUS}/{job.pk}", authorization=of_key(key))
    assert refused.status in (401, 403)


def test_a_key_expires_between_two_polls(native: Native, job: DownloadJob, alice: User) -> None:
    key = make_key(alice, expires_at=timezone.now() + timedelta(minutes=5))
    assert poll(native, key, job).status == 200

    ApiKey.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))

    assert poll(native, key, job) is None


def test_a_new_password_leaves_a_key_valid(native: Native, job: DownloadJob, alice: User) -> None:
    StoredFileFactory(file_id=70000)
    key = make_key(alice)
    start(native, key)

    alice.set_password("another horse")
    alice.save()

    assert poll(native, key, job).status == 200
    assert start(native, key).status == 202


@pytest.mark.parametrize("text", ["dlk_", "dlk_ab", "dlk_" + "a" * 36, "dlk_" + "a" * 37])
def test_what_is_no_key_is_left_to_django(native: Native, job: DownloadJob, text: str) -> None:
    assert poll(native, text, job) is None
    assert start(native, text) is None


def test_a_key_of_somebody_else_sees_no_job(native: Native, job: DownloadJob, bob: User) -> None:
    assert poll(native, make_key(bob), job) is None
    assert (
        native.request(EVENTS, query=f"jobs={job.pk}", authorization=of_key(make_key(bob))) is None
    )


def test_scopes_are_separate(native: Native, job: DownloadJob, alice: User) -> None:
    StoredFileFactory(file_id=70000)
    read, start_only = make_key(alice, "read"), make_key(alice, "start")

    assert poll(native, read, job).status == 200
    assert start(native, read) is None
    assert poll(native, start_only, job) is None
    assert start(native, start_only).status == 202


def test_keys_and_tokens_poll_at_the_same_moment(native: Native, alice: User, bob: User) -> None:
    jobs = [JobFactory(owner=owner) for owner in (alice, bob) for _ in range(20)]
    callers = {
        owner.pk: [of_key(make_key(owner)), of_key(make_key(owner)), bearer(owner)]
        for owner in (alice, bob)
    }

    async def polls() -> list[Any]:
        return await asyncio.gather(
            *(
                native.arequest(f"{STATUS}/{job.pk}", authorization=caller)
                for job in jobs
                for callers_of_one in callers.values()
                for caller in callers_of_one
            )
        )

    found = iter(native.run(polls()))

    for job in jobs:
        for owner_id in callers:
            answers = [next(found) for _ in range(3)]
            if owner_id == job.owner_id:
                assert [each.json["jobId"] for each in answers] == [str(job.pk)] * 3
            else:
                assert answers == [None] * 3


def test_requests_count_for_the_owner(
    native: Native, job: DownloadJob, alice: User, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"poll": ["owner:3/60"]}
    keys = [make_key(alice, "read") for _ in range(2)]

    found = [poll(native, keys[n % 2], job) for n in range(3)]
    by_token = native.request(f"{STATUS}/{job.pk}", authorization=bearer(alice))

    assert [each.status for each in found] == [200, 200, 200]
    assert by_token is None


def test_a_start_records_what_django_would(native: Native, alice: User) -> None:
    StoredFileFactory(file_id=70000)
    Preferences.objects.create(owner=alice, webhook="https://example.org/general")
    key = make_key(alice, webhook=HOOK)

    ours = start(native, key).json
    theirs = Client().post(
        INITIATE, json.loads(BODY), "application/json", headers={"authorization": of_key(key)}
    )

    jobs = [DownloadJob.objects.get(pk=each["jobId"]) for each in (ours, theirs.json())]
    assert [job.webhook for job in jobs] == [HOOK, HOOK]
    assert [job.owner for job in jobs] == [alice, alice]
    assert [job.events.get().detail for job in jobs] == [key[:10], key[:10]]


def test_a_key_without_a_webhook_uses_the_owners(native: Native, alice: User) -> None:
    StoredFileFactory(file_id=70000)
    Preferences.objects.create(owner=alice, webhook="https://example.org/general")

    found = start(native, make_key(alice)).json

    assert DownloadJob.objects.get(pk=found["jobId"]).webhook == "https://example.org/general"


def test_the_log_names_the_key(
    native: Native, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[Any, ...]] = []
    monkeypatch.setattr(starts, "log_submission", lambda *fields: logged.append(fields))
    StoredFileFactory(file_id=70000)
    key = make_key(alice)

    start(native, key)

    assert [fields[-1] for fields in logged] == [key[:10]]


def test_use_is_recorded(native: Native, job: DownloadJob, alice: User) -> None:
    StoredFileFactory(file_id=70000)
    reading, starting = make_key(alice, "read"), make_key(alice, "start")

    def are_used() -> bool:
        poll(native, reading, job)
        start(native, starting)
        return not ApiKey.objects.filter(last_used_at=None).exists()

    until(are_used)


def test_a_stream_with_a_key_has_the_changes_until_it_is_revoked(
    native: Native, job: DownloadJob, alice: User
) -> None:
    key = make_key(alice, "read")

    async def story() -> None:
        path = f"{EVENTS}/{job.pk}"
        stream = Stream(native, path, authorization=of_key(key), accept=STREAM)
        assert (await stream.event())["status"] == "queued"
        await in_thread(lambda: job.claim(task_id="t", worker="w"))
        assert (await stream.event())["status"] == "processing"

        await in_thread(ApiKey.objects.all().revoke)
        await in_thread(lambda: job.cancel(Actor.OWNER))
        assert await stream.piece() == b""

    native.run(story())


def test_a_waiting_poll_with_a_key_is_answered_at_the_change(
    native: Native, job: DownloadJob, alice: User
) -> None:
    key = make_key(alice, "read")
    etag = poll(native, key, job).headers["etag"]

    async def story() -> Any:
        headers = {"authorization": of_key(key), "if_none_match": etag, "prefer": "wait=20"}
        waiting = asyncio.ensure_future(native.arequest(f"{STATUS}/{job.pk}", **headers))
        await asyncio.sleep(0.2)
        await in_thread(lambda: job.cancel(Actor.OWNER))
        return await waiting

    assert native.run(story()).json["status"] == "cancelled"


def test_keys_are_read_from_the_primary(
    native: Native, job: DownloadJob, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica may be seconds behind, and accept a key that was revoked."""
    reader = native.endpoints.jobs
    sources: list[object] = []
    monkeypatch.setattr(replica, "is_replica_configured", lambda: True)

    async def noted(source: object, *_: object) -> None:
        sources.append(source)

    monkeypatch.setattr(reader, "_replica", reader._primary)
    monkeypatch.setattr(reader, "_from_replica", noted)

    poll(native, make_key(alice), job)
    native.request(f"{STATUS}/{job.pk}", authorization=f"Bearer {AccessToken.for_user(alice)}")

    assert sources == [None, reader._primary]
