"""Pages of other origins: the native endpoints and Django send the same CORS headers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from corsheaders.signals import check_request_enabled
from django.contrib.auth.models import User
from django.test import Client

from tests.asgi.both import Native, bearer
from tests.asgi.test_events import Stream
from tests.factories import JobFactory, StoredFileFactory

APP = "https://app.example.com"
STATUS, EVENTS = "/v1/download/status/{}", "/v1/download/events/{}"
INITIATE = "/v1/download/initiate"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def app_is_allowed(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]


def cors(headers: Any) -> dict[str, str]:
    return {
        name.lower(): ", ".join(sorted(value.lower().split(", ")))
        for name, value in dict(headers).items()
        if name.lower().startswith("access-control-") or name.lower() == "vary"
    }


@pytest.mark.parametrize("origin", [APP, "https://evil.example", "null", "", "https://[", "\xff"])
def test_polls_have_djangos_headers(
    native: Native, client: Client, alice: User, origin: str
) -> None:
    path, who = STATUS.format(JobFactory(owner=alice).pk), bearer(alice)

    ours = native.request(path, authorization=who, origin=origin)
    theirs = client.get(path, headers={"Authorization": who, "Origin": origin})

    assert ours
    assert ours.status == theirs.status_code == 200
    assert cors(ours.headers) == cors(theirs.headers)
    assert ("access-control-allow-origin" in cors(ours.headers)) == (origin == APP)


def test_starts_have_them_too(native: Native, client: Client, alice: User, broker: Any) -> None:
    StoredFileFactory(file_id=70_000)
    body, who = json.dumps({"file_ids": [70_000]}).encode(), bearer(alice)

    ours = native.request(
        INITIATE,
        method="POST",
        body=body,
        authorization=who,
        origin=APP,
        content_type="application/json",
        content_length=str(len(body)),
    )
    theirs = client.post(
        INITIATE, body, "application/json", headers={"Authorization": who, "Origin": APP}
    )

    assert ours
    assert ours.status == theirs.status_code == 202
    assert cors(ours.headers) == cors(theirs.headers)
    assert "location" in cors(ours.headers)["access-control-expose-headers"]


def test_a_stream_of_events_stays_open(native: Native, alice: User) -> None:
    job = JobFactory(owner=alice)

    async def watch() -> None:
        path = EVENTS.format(job.pk)
        who = {"authorization": bearer(alice), "accept": "text/event-stream"}
        stream = Stream(native, path, **who, origin=APP)
        assert (await stream.event())["status"] == "queued"
        headers = dict(stream.start["headers"])
        assert headers[b"access-control-allow-origin"] == APP.encode()
        assert not stream.task.done()
        stream.task.cancel()

    native.run(watch())


def test_an_unlisted_address_has_none(native: Native, alice: User, settings: Any) -> None:
    settings.CORS_URLS_REGEX = "/x/"
    path = STATUS.format(JobFactory(owner=alice).pk)

    ours = native.request(path, authorization=bearer(alice), origin=APP)

    assert ours
    assert "access-control-allow-origin" not in cors(ours.headers)


def test_a_projects_own_rule_is_left_to_django(native: Native, alice: User) -> None:
    def allow(**_: object) -> bool:
        return True

    path, who = STATUS.format(JobFactory(owner=alice).pk), bearer(alice)
    check_request_enabled.connect(allow)
    try:
        assert native.request(path, authorization=who, origin=APP) is None
        assert native.request(path, authorization=who)
    finally:
        check_request_enabled.disconnect(allow)
