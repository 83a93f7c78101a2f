"""POST /v1/download/initiate."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from jobs.states import Actor, Event, Status
from tests.factories import StoredFileFactory

URL = "/v1/download/initiate"


@pytest.mark.django_db(transaction=True)
def test_returns_202_with_the_status_url(client_of_alice: APIClient, broker: Mock) -> None:
    response = client_of_alice.post(URL, {"file_ids": [70000, 70001]})

    assert response.status_code == 202
    job = DownloadJob.objects.get()
    body = response.json()
    assert body["jobId"] == str(job.pk)
    assert (body["status"], body["totalFileIds"]) == ("queued", 2)
    assert response["Location"] == f"/v1/download/status/{job.pk}" == body["statusUrl"]
    assert response["Retry-After"] == "3"
    assert body["estimatedSecondsRemaining"] >= 1
    assert job.events.get().event == Event.SUBMIT
    assert job.events.get().by == Actor.OWNER


@pytest.mark.django_db(transaction=True)
def test_the_message_has_only_the_id(
    client_of_alice: APIClient, broker: Mock, settings: Any
) -> None:
    response = client_of_alice.post(URL, {"file_ids": [70000], "priority": 9})

    wait_for(lambda: broker.called)
    broker.assert_called_once()
    ((bell,),) = broker.call_args.args
    assert str(bell.job_id) == response.json()["jobId"]
    assert bell.queue == settings.QUEUE


def test_no_message_is_sent_before_the_commit(
    alice: User, broker: Mock, django_capture_on_commit_callbacks: Any
) -> None:
    from jobs.engine.submission import submit_job

    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})
        assert not broker.called
    assert len(callbacks) == 2  # the message and the log line
    wait_for(lambda: broker.called)


def test_duplicate_ids_are_ignored_and_order_is_kept(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(URL, {"file_ids": [70002, 70000, 70002]})

    assert response.json()["totalFileIds"] == 2
    assert DownloadJob.objects.get().params == {"file_ids": [70002, 70000]}


def test_the_total_is_the_size_of_the_sources(client_of_alice: APIClient, bob: User) -> None:
    StoredFileFactory(file_id=70000, size_bytes=10)
    StoredFileFactory(file_id=70001, size_bytes=5, owner=bob)  # which Alice may not read

    client_of_alice.post(URL, {"file_ids": [70000, 70001]})

    assert DownloadJob.objects.get().total == 10


def test_a_whole_number_may_have_a_decimal_point(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(URL, {"file_ids": [70000.0, 70000, 7.0001e4], "priority": 9.0})

    assert response.status_code == 202
    job = DownloadJob.objects.get()
    assert (job.params, job.priority) == ({"file_ids": [70000, 70001]}, 9)
    assert "." not in str(job.params)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "file_ids"),
        ({"file_ids": []}, "file_ids"),
        ({"file_ids": "70000"}, "file_ids"),
        ({"file_ids": None}, "file_ids"),
        ({"file_ids": {"0": 70000}}, "file_ids"),
        ({"file_ids": ["70000"]}, "file_ids.0"),
        ({"file_ids": [70000.5]}, "file_ids.0"),
        ({"file_ids": [True]}, "file_ids.0"),
        ({"file_ids": [9_999]}, "file_ids.0"),
        ({"file_ids": [100_000_001]}, "file_ids.0"),
        ({"file_ids": [70000], "x": 1}, "x"),
        ({"file_ids": [70000], "priority": 10}, "priority"),
        ({"file_ids": [70000], "priority": "5"}, "priority"),
        ({"file_ids": [70000], "priority": 5.5}, "priority"),
        ({"file_ids": [70000], "name": "a\x00b"}, "name"),
        ({"file_ids": [70000], "name": "  "}, "name"),
        ({"file_ids": [70000], "name": 5}, "name"),
        ([70000], ""),
    ],
    ids=str,
)
def test_a_body_that_breaks_the_schema_is_400_and_makes_no_job(
    client_of_alice: APIClient, body: Any, field: str
) -> None:
    response = client_of_alice.post(URL, body)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert field in [error["field"] for error in response.json()["errors"]]
    assert not DownloadJob.objects.exists()


def test_too_many_ids_are_400(client_of_alice: APIClient, settings: Any) -> None:
    ids = list(range(10_000, 10_000 + settings.MAX_FILES_PER_BUNDLE + 1))

    response = client_of_alice.post(URL, {"file_ids": ids})

    assert response.status_code == 400
    assert not DownloadJob.objects.exists()


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b'{"file_ids":', "application/json", 400),
        (b'{"file_ids": [NaN]}', "application/json", 400),
        (b"file_ids=70000", "application/x-www-form-urlencoded", 415),
        (b"<file_ids/>", "application/xml", 415),
    ],
)
def test_what_is_not_json_is_refused(
    client_of_alice: APIClient, content: bytes, content_type: str, status: int
) -> None:
    response = client_of_alice.generic("POST", URL, content, content_type=content_type)

    assert response.status_code == status
    assert response.json()["status"] == status
    assert not DownloadJob.objects.exists()


def test_without_credentials_it_is_401_with_www_authenticate(db: None) -> None:
    response = APIClient().post(URL, {"file_ids": [70000]})

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["code"] == "not_authenticated"
    assert not DownloadJob.objects.exists()


def test_put_is_405_with_allow(client_of_alice: APIClient) -> None:
    response = client_of_alice.put(URL, {})

    assert response.status_code == 405
    assert "POST" in response["Allow"]


@pytest.mark.parametrize(
    ("requested", "called"),
    [
        ("", "2 files.zip"),
        ("Holiday", "Holiday.zip"),
        ("Holiday.ZIP", "Holiday.ZIP"),
        ("../../etc/passwd", "passwd.zip"),
        ("\u202egpj.exe", "gpj.exe.zip"),
    ],
)
def test_the_result_has_the_requested_name_made_safe(
    client_of_alice: APIClient, requested: str, called: str
) -> None:
    body = {"file_ids": [70000, 70001]} | ({"name": requested} if requested else {})

    response = client_of_alice.post(URL, body)

    assert response.json()["fileName"] == called


def test_sources_due_to_expire_are_kept_for_the_job(client_of_alice: APIClient) -> None:
    from datetime import timedelta

    from django.utils import timezone

    soon = timezone.now() + timedelta(minutes=1)
    file = StoredFileFactory(file_id=70000, expires_at=soon)

    client_of_alice.post(URL, {"file_ids": [70000]})

    file.refresh_from_db()
    assert file.expires_at > soon + timedelta(hours=23)


def test_the_first_body_is_that_of_the_contract(client_of_alice: APIClient, alice: User) -> None:
    body = client_of_alice.post(URL, {"file_ids": [70000]}).json()

    assert (
        body.items()
        >= {
            "kind": "bundle",
            "userId": str(alice.pk),
            "progress": 0.0,
            "done": 0,
            "unit": "bytes",
            "attempts": 0,
            "startedAt": None,
            "finishedAt": None,
        }.items()
    )
    assert not {"downloadUrl", "error", "retryAt"} & set(body)
    assert DownloadJob.objects.get().status == Status.QUEUED


def wait_for(answer: Any, seconds: float = 30) -> None:
    """Wait for the publishing thread."""
    import time

    deadline = time.monotonic() + seconds
    while not answer():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
