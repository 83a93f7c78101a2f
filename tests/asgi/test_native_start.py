"""The native start endpoint does and returns what Django would."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from jobs.engine import doorbell
from jobs.models import DownloadJob, Preferences
from jobs.web.asgi.doorbells import Doorbells
from tests.asgi.both import Native, Response, bearer
from tests.factories import StoredFileFactory

NO_JOB = "00000000-0000-4000-8000-000000000001"
INITIATE = "/v1/download/initiate"
JSON = "application/json"
OWN = {"x-request-id", "ratelimit", "location"}  # differ for each request
# The second is behind the first, so that its position differs, and what follows from it.
BEHIND = ("position", "message", "estimatedSecondsRemaining")
ITS_OWN = ("jobId", "createdAt", "updatedAt", "statusUrl", *BEHIND)


@pytest.fixture(autouse=True)
def catalogue(transactional_db: None) -> None:
    for number in range(70000, 70003):
        StoredFileFactory(file_id=number, size_bytes=100)


@pytest.fixture(autouse=True)
def doorbells(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Return the doorbells that were sent."""
    found = Mock()
    monkeypatch.setattr(doorbell._publisher, "put", found)
    monkeypatch.setattr(Doorbells, "ring", lambda _, bell: found(bell))
    return found


def start(native: Native, user: User, body: Any, **headers: str) -> Response | None:
    named = {"authorization": bearer(user), "content_type": JSON} | headers
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named["content_length"] = str(len(content))
    return native.request(INITIATE, method="POST", body=content, **named)


def start_by_django(user: User, body: Any, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = Client().post(
        INITIATE, json.dumps(body), JSON, headers={"authorization": bearer(user)} | named
    )
    return Response(found.status_code, {k.lower(): v for k, v in found.items()}, found.content)


def comparable(response: Response) -> tuple[int, dict[str, str], dict[str, Any]]:
    headers = {name: value for name, value in response.headers.items() if name not in OWN}
    headers.pop("content-length", None)
    for name in ("vary", "content-security-policy"):
        headers[name] = " ".join(sorted(re.split("[,;] ", headers[name].lower())))
    body = {name: value for name, value in response.json.items() if name not in ITS_OWN}
    return response.status, headers, body


BODIES: dict[str, Any] = {
    "one file": {"file_ids": [70000]},
    "several, one twice": {"file_ids": [70002, 70000, 70002]},
    "a file that is not there": {"file_ids": [99999]},
    "a name": {"file_ids": [70000, 70001], "name": "Q3 Zürich.zip"},
    "a name without its suffix": {"file_ids": [70000], "name": "a/b"},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_both_ways_have_the_same_result(
    native: Native, alice: User, body: Any, doorbells: Mock
) -> None:
    ours, theirs = start(native, alice, body), start_by_django(alice, body)

    assert ours is not None
    assert list(ours.json) == list(theirs.json)
    assert comparable(ours) == comparable(theirs)
    rows = [
        DownloadJob.objects.filter(pk=each.json["jobId"]).values().get() for each in (ours, theirs)
    ]
    moments = {name for name in rows[0] if name.endswith("_at")} | {"id", "request_id"}
    assert [{k: v for k, v in row.items() if k not in moments} for row in rows] == [
        {k: v for k, v in rows[0].items() if k not in moments}
    ] * 2
    assert {k: v is None for k, v in rows[0].items()} == {k: v is None for k, v in rows[1].items()}
    bells = [call.args[0] for call in doorbells.mock_calls]
    assert [str(bell.job_id) for bell in bells] == [ours.json["jobId"], theirs.json["jobId"]]
    assert bells[0].queue == bells[1].queue
    assert ours.headers["location"] == f"/v1/download/status/{ours.json['jobId']}"


def test_omitted_fields_use_the_owners_preferences(native: Native, alice: User) -> None:
    Preferences.objects.create(owner=alice, webhook="https://example.org/hook", most_urgent=2)

    answer = start(native, alice, {"file_ids": [70000]})

    assert answer is not None
    job = DownloadJob.objects.get(pk=answer.json["jobId"])
    assert (job.webhook, job.priority) == ("https://example.org/hook", 2)


def test_one_key_makes_one_job_in_both_ways(native: Native, alice: User, doorbells: Mock) -> None:
    body = {"file_ids": [70000]}
    first = start(native, alice, body, idempotency_key="monday")
    again = start(native, alice, body, idempotency_key="monday")
    theirs = start_by_django(alice, body, idempotency_key="monday")

    assert first is not None
    assert again is not None
    assert {each.json["jobId"] for each in (first, again, theirs)} == {first.json["jobId"]}
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert theirs.headers["idempotency-replayed"] == "true"
    assert len(doorbells.mock_calls) == 1
    assert start(native, alice, {"file_ids": [70001]}, idempotency_key="monday") is None


def test_fifty_at_once_with_one_key_are_one_job(native: Native, alice: User) -> None:
    body = json.dumps({"file_ids": [70000]}).encode()
    named = {"authorization": bearer(alice), "content_type": JSON, "idempotency_key": "k"}
    named["content_length"] = str(len(body))

    async def all_at_once() -> list[Response | None]:
        requests = (native.arequest(INITIATE, method="POST", body=body, **named) for _ in range(50))
        return list(await asyncio.gather(*requests))

    answers = native.run(all_at_once())

    assert {each.json["jobId"] for each in answers if each} == {str(DownloadJob.objects.get().pk)}
    replayed = [each for each in answers if each and "idempotency-replayed" in each.headers]
    assert (len(answers), len(replayed)) == (50, 49)


def test_many_owners_at_once_share_transactions_and_keep_their_limits(
    native: Native, alice: User, bob: User, settings: Any
) -> None:
    settings.MAX_ACTIVE_JOBS = 5
    body = json.dumps({"file_ids": [70000]}).encode()

    async def all_at_once() -> list[Response | None]:
        requests = [
            native.arequest(
                INITIATE, method="POST", body=body, authorization=bearer(user),
                content_type=JSON, content_length=str(len(body)),
            )
            for _ in range(20)
            for user in (alice, bob)
        ]  # fmt: skip
        return list(await asyncio.gather(*requests))

    answers = native.run(all_at_once())

    assert sum(each is not None for each in answers) == 10
    for user in (alice, bob):
        assert DownloadJob.objects.filter(owner=user).count() == 5


def test_a_locked_owner_delays_nobody_else(native: Native, alice: User, bob: User) -> None:
    body = json.dumps({"file_ids": [70000]}).encode()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(1, %s)", [alice.pk])

        async def both() -> list[Response | None]:
            requests = [
                native.arequest(
                    INITIATE, method="POST", body=body, authorization=bearer(user),
                    content_type=JSON, content_length=str(len(body)),
                )
                for user in (alice, bob)
            ]  # fmt: skip
            return list(await asyncio.gather(*requests))

        busy, other = native.run(both())
        cursor.execute("ROLLBACK")

    assert busy is None  # Django returns 409
    assert other is not None
    assert other.status == 202


class TestLeftToDjango:
    @pytest.mark.parametrize(
        "body",
        [
            b"", b"{", b"[]", b"7", b'{"file_ids": [70000], "file_ids": [70001]}',
            {}, {"file_ids": []}, {"file_ids": 70000}, {"file_ids": ["70000"]},
            {"file_ids": [70000.0]}, {"file_ids": [True]}, {"file_ids": [7]},
            {"file_ids": [70000], "unknown": 1}, {"file_ids": [70000], "name": ""},
            {"file_ids": [70000], "name": " a"}, {"file_ids": [70000], "name": "a\x00b"},
            {"file_ids": [70000], "name": "x" * 201}, {"file_ids": [70000], "name": None},
            {"file_ids": [70000], "priority": 9}, {"job_ids": [NO_JOB]},
            {"file_ids": [70000], "after": []}, {"file_ids": list(range(10_000, 15_000))},
        ],
        ids=repr,
    )  # fmt: skip
    def test_invalid_bodies(self, native: Native, alice: User, body: Any) -> None:
        assert start(native, alice, body) is None
        assert not DownloadJob.objects.exists()

    @pytest.mark.parametrize(
        "headers",
        [
            {"content_type": "application/json; charset=utf-16"},
            {"content_type": "text/plain"},
            {"content_encoding": "gzip"},
            {"idempotency_key": "ä"},
            {"idempotency_key": ""},
            {"authorization": "Bearer x"},
            {"accept": "text/html"},
        ],
        ids=str,
    )
    def test_unusual_headers(self, native: Native, alice: User, headers: dict[str, str]) -> None:
        assert start(native, alice, {"file_ids": [70000]}, **headers) is None
        assert not DownloadJob.objects.exists()

    def test_a_closed_account(self, native: Native, alice: User) -> None:
        who = bearer(alice)
        User.objects.filter(pk=alice.pk).update(is_active=False)

        assert start(native, alice, {"file_ids": [70000]}, authorization=who) is None
        assert not DownloadJob.objects.exists()

    def test_a_changed_password(self, native: Native, alice: User) -> None:
        who = bearer(alice)
        alice.set_password("another")
        alice.save()

        assert start(native, alice, {"file_ids": [70000]}, authorization=who) is None
        assert not DownloadJob.objects.exists()

    def test_a_request_over_the_limit_is_counted_once(
        self, native: Native, alice: User, settings: Any
    ) -> None:
        settings.RATES = settings.RATES | {"initiate": ["owner:3/60"]}
        body = {"file_ids": [70000]}
        assert all(start(native, alice, body) for _ in range(3))

        refused = start(native, alice, body)

        assert refused is None
        assert start_by_django(alice, body).status == 429
        assert DownloadJob.objects.count() == 3


def test_an_unknown_outcome_is_503_without_a_second_attempt(native: Native, alice: User) -> None:
    assert start(native, alice, {"file_ids": [70000]})
    recorder = native.endpoints._starts._recorder
    connection = recorder._pipeline._connection
    assert connection
    backend = connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        answer = start(native, alice, {"file_ids": [70000]})
    finally:
        os.kill(backend, signal.SIGCONT)

    assert answer is not None
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"
    assert start(native, alice, {"file_ids": [70000]}) is None  # and no client repeats it
    assert DownloadJob.objects.count() <= 2
