"""docs/differences.md: what a client of an older service meets here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory, RemoteJobFactory, UploadJobFactory

LISTS = ["/v1/download/jobs", "/downloads", "/reports"]


@pytest.fixture
def api(alice: User) -> APIClient:
    client = APIClient()
    client.force_login(alice)
    return client


@pytest.mark.django_db
def test_without_credentials_it_is_401() -> None:
    for path in (*LISTS, f"/status/{uuid4()}", "/queue/stats"):
        assert Client().get(path, headers={"X-User-Id": "alice"}).status_code == 401


@pytest.mark.django_db
def test_a_gateways_header_can_be_accepted(settings: Any) -> None:
    settings.GATEWAY_USER_HEADER = "X-User-Id"
    settings.GATEWAY_ADDRESSES = ["127.0.0.1"]

    response = Client().get("/v1/download/jobs", headers={"X-User-Id": "user123"})

    assert response.status_code == 200
    assert User.objects.get().username == "user123"


def test_errors_are_titles_and_details_sentences(api: APIClient, bob: User) -> None:
    foreign = api.get(f"/v1/download/status/{JobFactory(owner=bob).pk}")
    unknown = api.get(f"/v1/download/status/{uuid4()}")

    assert (foreign.status_code, foreign.json()["error"]) == (403, "Forbidden")
    assert foreign.json()["detail"] == "This download belongs to another user."
    assert (unknown.status_code, unknown.json()["error"]) == (404, "Not Found")
    assert unknown.json()["code"] == "not_found"


def test_a_waiting_retry_is_queued(api: APIClient, alice: User) -> None:
    job = JobFactory(
        owner=alice,
        error_code="storage_unavailable",
        error="The store is down.",
        available_at=timezone.now() + timedelta(minutes=1),
    )

    body = api.get(f"/status/{job.pk}").json()

    assert (body["status"], body["lastError"]) == ("queued", "The store is down.")
    assert body["retryAt"]


def test_statuses_are_these() -> None:
    assert set(Status.values) == {
        "queued",
        "processing",
        "completed",
        "failed",
        "cancelled",
        "expired",
    }


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_objects(api: APIClient, path: str) -> None:
    assert api.get(path).json() == {"results": [], "next": None, "previous": None}


def test_progress_is_0_to_1(api: APIClient, alice: User) -> None:
    job = RemoteJobFactory(owner=alice, progress=0.4, done=40, total=100)

    body = api.get(f"/downloads/{job.pk}/status").json()

    assert body["progress"] == 0.4
    assert (body["job_id"], body["bytes_downloaded"], body["total_bytes"]) == (
        str(job.pk),
        40,
        100,
    )


def test_unknown_members_are_refused(api: APIClient) -> None:
    response = api.post("/reports", {"processingType": "fast"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "processingType"


def test_results_have_codes(api: APIClient, alice: User) -> None:
    statuses = {Status.QUEUED: (409, "not_ready"), Status.FAILED: (409, "job_failed")}
    for status, expected in statuses.items():
        job = JobFactory(owner=alice, status=status)
        response = api.get(f"/v1/download/result/{job.pk}")
        assert (response.status_code, response.json()["code"]) == expected
    expired = JobFactory(owner=alice, status=Status.EXPIRED)
    assert api.get(f"/v1/download/result/{expired.pk}").status_code == 410


def test_other_users_lists_are_for_staff(api: APIClient, bob: User) -> None:
    assert api.get("/v1/download/jobs", {"userId": bob.pk}).status_code == 403


def test_links_are_accepted_and_private_ones_refused(api: APIClient, broker: Any) -> None:
    accepted = api.post("/downloads", {"url": "https://www.example.org/a.zip"})
    private = api.post("/downloads", {"url": "http://10.0.0.1/a.zip"})

    assert accepted.status_code == 202
    assert accepted.json()["job_id"] == accepted.json()["jobId"]
    assert (private.status_code, private.json()["code"]) == (422, "blocked_address")


def test_statistics_are_for_staff(api: APIClient, alice: User) -> None:
    assert api.get("/queue/stats").status_code == 403
    alice.is_staff = True
    alice.save()
    assert {"cancelled", "expired"} < set(api.get("/queue/stats").json()["queue_stats"])


def test_too_large_and_missing_files_have_the_old_error(api: APIClient, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 10
    large = SimpleUploadedFile("a.txt", b"x" * 100)

    too_large = api.post("/upload", {"file": large}, format="multipart")
    missing = api.post("/upload", {"name": "x"}, format="multipart")

    assert (too_large.status_code, too_large.json()["error"]) == (413, "File too large")
    assert (missing.status_code, missing.json()["error"]) == (400, "No file uploaded")


def test_chunks_begin_with_a_request_that_returns_the_id(api: APIClient, bucket: Any) -> None:
    body = api.post("/upload/chunked", {"fileName": "a.mp4", "totalSize": 9_000_000}).json()

    assert {"jobId", "chunkSize"} < set(body)


def test_processed_files_are_objects(api: APIClient, alice: User, bucket: Any) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    ArtifactFactory(owner=alice, made_by=job, role="thumbnail", file_id=None)

    body = api.get(f"/status/{job.pk}").json()

    assert body["downloadUrls"]["thumbnail"]
    assert {"downloadUrl", "size"} < set(body["processedFiles"]["thumbnail"])
    assert body["completedAt"] == body["finishedAt"]


def test_reports_are_accepted_redirected_and_cancelled(
    api: APIClient, alice: User, broker: Any, bucket: Any
) -> None:
    accepted = api.post("/reports", {})
    done = JobFactory(
        owner=alice,
        kind="report",
        params={"format": "pdf"},
        status=Status.COMPLETED,
        artifact=ArtifactFactory(owner=alice),
    )

    assert accepted.status_code == 202
    assert accepted.json()["id"] == accepted.json()["jobId"]
    assert "progress_message" in accepted.json()
    assert api.get(f"/reports/{done.pk}/download").status_code in (302, 410)
    assert api.delete(f"/reports/{done.pk}").status_code == 409
    assert api.delete(f"/reports/{accepted.json()['id']}").json()["status"] == "cancelled"
