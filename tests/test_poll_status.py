"""GET /v1/download/status/{id}, and the polling interval."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from jobs.states import Actor, Status
from tests.factories import JobFactory


def url(job: DownloadJob) -> str:
    return f"/v1/download/status/{job.pk}"


def test_a_running_job_has_its_progress(
    client_of_alice: APIClient, running_job: DownloadJob
) -> None:
    running_job.heartbeat(done=400, message="Adding 1 of 2: report.pdf")

    body = client_of_alice.get(url(running_job)).json()

    assert body["status"] == "processing"
    assert (body["progress"], body["done"], body["total"]) == (0.4, 400, 1000)
    assert body["message"] == "Adding 1 of 2: report.pdf"
    assert body["estimatedSecondsRemaining"] >= 1


def test_a_stalled_job_has_no_estimate(client_of_alice: APIClient, alice: User) -> None:
    began = timezone.now() - timedelta(minutes=5)
    job = JobFactory(owner=alice, status=Status.PROCESSING, started_at=began, done=400, speed=0)
    still = client_of_alice.get(url(job)).json()
    DownloadJob.objects.update(speed=100)

    moving = client_of_alice.get(url(job)).json()

    assert still["estimatedSecondsRemaining"] is None
    assert 6 <= moving["estimatedSecondsRemaining"] <= 8


def test_a_completed_job_has_the_url_of_its_file(client_of_alice: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED)

    response = client_of_alice.get(url(job))

    body = response.json()
    assert "X-Amz-Signature=" in body["downloadUrl"]
    assert body["expiresIn"] == 600
    assert (body["fileName"], body["size"]) == ("2 files.zip", 5)
    assert len(body["sha256"]) == 64
    assert "Retry-After" not in response
    assert "estimatedSecondsRemaining" not in body


def test_a_failed_job_has_its_error(client_of_alice: APIClient, running_job: DownloadJob) -> None:
    running_job.fail("source_missing", "File 70009 could not be found.", detail="trace")

    body = client_of_alice.get(url(running_job)).json()

    assert body["errorCode"] == "source_missing"
    assert body["error"] == "File 70009 could not be found."
    assert "downloadUrl" not in body
    assert "trace" not in str(body)


def test_a_job_waiting_for_a_retry_has_its_time(
    client_of_alice: APIClient, running_job: DownloadJob
) -> None:
    running_job.retry("storage_unavailable", "The store is away.", after_seconds=30)

    body = client_of_alice.get(url(running_job)).json()

    assert (body["status"], body["lastError"]) == ("queued", "The store is away.")
    assert body["retryAt"] > body["updatedAt"]
    assert 30 <= body["estimatedSecondsRemaining"] <= 40


def test_an_unchanged_poll_is_304(
    client_of_alice: APIClient, running_job: DownloadJob, constant_etag: None
) -> None:
    first = client_of_alice.get(url(running_job))
    again = client_of_alice.get(url(running_job), headers={"If-None-Match": first["ETag"]})
    running_job.heartbeat(done=1, message="Moved")
    moved = client_of_alice.get(url(running_job), headers={"If-None-Match": first["ETag"]})

    assert again.status_code == 304
    assert not again.content
    assert again["ETag"] == first["ETag"]
    assert moved.status_code == 200
    assert moved["ETag"] != first["ETag"]


@pytest.mark.usefixtures("constant_etag")
@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),  # as compressing proxies change it
        ('"other", {etag}', 304),
        ("*", 304),
        ('"other"', 200),
        ("{etag}x", 200),
        ("{bare}", 200),
        ("", 200),
    ],
)
def test_if_none_match_is_compared_as_http_requires(
    client_of_alice: APIClient, running_job: DownloadJob, seen: str, status: int
) -> None:
    etag = client_of_alice.get(url(running_job))["ETag"]
    if_none_match = seen.format(etag=etag, bare=etag.strip('"'))

    answer = client_of_alice.get(url(running_job), headers={"If-None-Match": if_none_match})

    assert answer.status_code == status


def test_a_304_never_keeps_an_expired_url(
    client_of_alice: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED)
    first = client_of_alice.get(url(job))

    import time

    later = time.time() + 301
    monkeypatch.setattr("jobs.web.poll_responses.time.time", lambda: later)
    again = client_of_alice.get(url(job), headers={"If-None-Match": first["ETag"]})

    assert again.status_code == 200


@pytest.mark.parametrize(("age_seconds", "pause"), [(0, "1"), (30, "3"), (600, "5")])
def test_the_pause_between_polls_grows_with_the_job(
    client_of_alice: APIClient, alice: User, age_seconds: int, pause: str
) -> None:
    job = JobFactory(owner=alice, created_at=timezone.now() - timedelta(seconds=age_seconds))

    response = client_of_alice.get(url(job))

    assert response["Retry-After"] == pause
    assert response["Cache-Control"] == "private, no-store"
    assert "Authorization" in response["Vary"]


@pytest.mark.parametrize(
    ("ahead_seconds", "pauses"),
    [(7_200, {"3600"}), (600, {"599", "600"}), (2, {"1", "2"}), (-5, {"1"})],
)
def test_a_scheduled_job_is_polled_at_its_start_or_in_an_hour(
    client_of_alice: APIClient, alice: User, ahead_seconds: int, pauses: set[str]
) -> None:
    start = timezone.now() + timedelta(seconds=ahead_seconds)
    job = JobFactory(owner=alice, run_at=start, available_at=start)

    assert client_of_alice.get(url(job))["Retry-After"] in pauses


def test_a_job_that_was_scheduled_is_polled_as_any_other(
    client_of_alice: APIClient, alice: User
) -> None:
    start = timezone.now() + timedelta(hours=1)  # an operator started it early
    job = JobFactory(owner=alice, run_at=start, status=Status.PROCESSING)

    assert client_of_alice.get(url(job))["Retry-After"] == "1"


def test_a_foreign_job_is_403(client_of_alice: APIClient, bob: User) -> None:
    response = client_of_alice.get(url(JobFactory(owner=bob)))

    assert response.status_code == 403
    assert response.json()["error"] == "Forbidden"


@pytest.mark.parametrize(
    "job_id", ["0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55", "not-a-uuid", "..%2f", "x" * 10_000]
)
def test_an_unknown_id_is_404(client_of_alice: APIClient, job_id: str) -> None:
    response = client_of_alice.get(f"/v1/download/status/{job_id}")

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


def test_the_short_path_returns_the_same(
    client_of_alice: APIClient, queued_job: DownloadJob
) -> None:
    long, short = (
        client_of_alice.get(url(queued_job)),
        client_of_alice.get(f"/status/{queued_job.pk}"),
    )

    assert short.json()["jobId"] == long.json()["jobId"]
    assert short.status_code == 200


def test_a_poll_is_one_query_by_primary_key(
    client_of_alice: APIClient,
    queued_job: DownloadJob,
    django_assert_num_queries: Any,
    constant_estimates: None,
) -> None:
    client_of_alice.get(url(queued_job))  # then the speed of the kind is cached

    with django_assert_num_queries(1):
        client_of_alice.get(url(queued_job))


def test_progress_never_goes_back_within_an_attempt(running_job: DownloadJob) -> None:
    running_job.heartbeat(done=900, message="")
    running_job.heartbeat(done=2_000, message="")  # more than was expected

    running_job.refresh_from_db()
    assert running_job.progress == 1.0


def test_a_cancelled_job_says_so(client_of_alice: APIClient, queued_job: DownloadJob) -> None:
    queued_job.cancel(Actor.OWNER)

    body = client_of_alice.get(url(queued_job)).json()

    assert (body["status"], body["message"]) == ("cancelled", "Cancelled")
    assert body["finishedAt"] is not None


@pytest.mark.parametrize("status", [Status.QUEUED, Status.COMPLETED])
def test_a_poll_is_never_compressed_and_its_etag_is_strong(
    client_of_alice: APIClient, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status, message="x" * 300, name="y" * 200)

    response = client_of_alice.get(url(job), headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in response
    assert response["ETag"].startswith('"')


def test_a_long_list_is_compressed_if_accepted(client_of_alice: APIClient, alice: User) -> None:
    for _ in range(5):
        JobFactory(owner=alice)

    packed = client_of_alice.get("/v1/download/jobs", headers={"Accept-Encoding": "gzip"})
    plain = client_of_alice.get("/v1/download/jobs")

    assert json.loads(gzip.decompress(packed.content)).keys() == plain.json().keys()
    assert len(packed.content) < len(plain.content) / 2
    assert "Content-Encoding" not in plain
    assert "Accept-Encoding" in packed["Vary"]
    assert "Accept-Encoding" in plain["Vary"]
