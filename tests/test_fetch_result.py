"""GET /v1/download/{id} and /v1/download/result/{id}, against the real S3 server."""

from __future__ import annotations

import hashlib
import time
from datetime import datetime
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from rest_framework.test import APIClient

from jobs import storage
from jobs.models import DownloadJob
from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory

CONTENT = b"PK the archive"


@pytest.fixture
def completed_job(alice: User, bucket: Any) -> DownloadJob:
    artifact = ArtifactFactory(owner=alice, name="Verträge 2026.zip", size_bytes=len(CONTENT))
    storage.bucket().save(artifact.key, ContentFile(CONTENT))
    return JobFactory(owner=alice, status=Status.COMPLETED, artifact=artifact)


def test_the_download_is_a_redirect_to_the_bytes(
    client_of_alice: APIClient, completed_job: DownloadJob
) -> None:
    response = client_of_alice.get(f"/v1/download/{completed_job.pk}")

    assert response.status_code == 302
    assert response["Cache-Control"] == "private, no-store"
    fetched = requests.get(response["Location"], timeout=5)
    assert fetched.content == CONTENT
    assert fetched.headers["Content-Type"] == "application/zip"
    disposition = fetched.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="Vertr_ge 2026.zip"')
    assert disposition.endswith("filename*=UTF-8''Vertr%C3%A4ge%202026.zip")


def test_a_head_request_gets_a_url_for_head(
    client_of_alice: APIClient, completed_job: DownloadJob
) -> None:
    response = client_of_alice.head(f"/v1/download/{completed_job.pk}")

    assert response.status_code == 302
    head_response = requests.head(response["Location"], timeout=5)
    assert head_response.status_code == 200
    assert head_response.headers["Content-Length"] == str(len(CONTENT))


@pytest.mark.parametrize("query", ["", "?format=zip"])
@pytest.mark.parametrize("accept", ["application/zip", "image/*;q=0.5", "nonsense", "*/*;q=0", ""])
def test_a_redirect_ignores_accept(
    client_of_alice: APIClient, completed_job: DownloadJob, accept: str, query: str
) -> None:
    for ask in (client_of_alice.get, client_of_alice.head):
        response = ask(f"/v1/download/{completed_job.pk}{query}", headers={"Accept": accept})

        assert response.status_code == 302


def test_errors_of_a_redirect_are_problems_whatever_is_accepted(
    client_of_alice: APIClient, alice: User
) -> None:
    path = f"/v1/download/{JobFactory(owner=alice).pk}"
    accept = {"Accept": "application/zip"}

    response = client_of_alice.get(path, headers=accept)

    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert client_of_alice.delete(path, headers=accept).status_code == 406  # has a body


def test_a_range_of_the_bytes_can_be_fetched(
    client_of_alice: APIClient, completed_job: DownloadJob
) -> None:
    location = client_of_alice.get(f"/v1/download/{completed_job.pk}")["Location"]

    part = requests.get(location, headers={"Range": "bytes=3-5"}, timeout=5)

    assert (part.status_code, part.content) == (206, b"the")


def test_the_result_has_the_size_of_the_file(
    client_of_alice: APIClient, completed_job: DownloadJob
) -> None:
    body = client_of_alice.get(f"/v1/download/result/{completed_job.pk}").json()

    assert set(body) == {
        "jobId", "status", "downloadUrl", "expiresIn", "fileName", "size", "sha256",
    }  # fmt: skip
    assert (body["size"], body["expiresIn"]) == (len(CONTENT), 600)
    assert requests.get(body["downloadUrl"], timeout=5).content == CONTENT


@pytest.mark.parametrize("address", ["/v1/download/{}", "/v1/download/result/{}"])
@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (Status.QUEUED, 409, "not_ready"),
        (Status.PROCESSING, 409, "not_ready"),
        (Status.FAILED, 409, "job_failed"),
        (Status.CANCELLED, 410, "cancelled"),
        (Status.EXPIRED, 410, "expired"),
    ],
)
def test_a_missing_file_has_the_code_of_its_reason(
    client_of_alice: APIClient, alice: User, address: str, status: Status, answer: int, code: str
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = client_of_alice.get(address.format(job.pk))

    assert (response.status_code, response.json()["code"]) == (answer, code)
    if code == "not_ready":
        assert response["Location"] == f"/v1/download/status/{job.pk}"
        assert int(response["Retry-After"]) >= 1


def test_a_missing_object_is_410(client_of_alice: APIClient, completed_job: DownloadJob) -> None:
    storage.bucket().delete(completed_job.artifact.key)

    response = client_of_alice.get(f"/v1/download/{completed_job.pk}")

    assert (response.status_code, response.json()["code"]) == (410, "artifact_gone")


# Presigned URLs, on a server that checks signatures


@pytest.fixture
def address(completed_job: DownloadJob) -> str:
    file = completed_job.artifact
    return storage.presigned_url(file.key, name="a.zip", content_type="application/zip")


def test_a_url_is_v4_path_style_and_short_lived(address: str, settings: Any) -> None:
    parts = urlsplit(address)
    query = parse_qs(parts.query)

    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert int(query["X-Amz-Expires"][0]) <= 660  # a minute of it may be over when it is returned
    bucket = settings.STORAGES["default"]["OPTIONS"]["bucket_name"]
    assert parts.path.startswith(f"/{bucket}/results/")


@pytest.mark.parametrize(
    "tamper",
    [
        lambda url: url.replace("2%20files", "other"),
        lambda url: url.replace("X-Amz-Expires=660", "X-Amz-Expires=6600"),
        lambda url: url.replace("attachment", "inline"),
        lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    ],
    ids=["another key", "longer life", "inline", "signature"],
)
def test_a_tampered_url_is_refused(address: str, tamper: Any) -> None:
    tampered = tamper(address)

    assert tampered != address
    assert requests.get(address, timeout=5).status_code == 200
    assert requests.get(tampered, timeout=5).status_code == 403


def test_a_url_does_not_work_for_another_host(address: str) -> None:
    rehosted = address.replace("127.0.0.1", "localhost")

    assert requests.get(rehosted, timeout=5).status_code == 403


def test_a_url_does_not_work_for_another_method(address: str) -> None:
    assert requests.put(address, b"mine", timeout=5).status_code == 403
    assert requests.delete(address, timeout=5).status_code == 403


def test_an_expired_url_is_refused(
    completed_job: DownloadJob, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = completed_job.artifact
    monkeypatch.setattr("jobs.storage.presigned_urls.time", Mock(time=lambda: time.time() - 700))

    old = storage.presigned_url(file.key, name="a.zip", content_type="application/zip")

    assert requests.get(old, timeout=5).status_code == 403


def address_at(monkeypatch: pytest.MonkeyPatch, now: float, **said: str) -> str:
    monkeypatch.setattr("jobs.storage.presigned_urls.time", Mock(time=lambda: now))
    wanted = {"name": "a.zip", "content_type": "application/zip"} | said
    return storage.presigned_url("results/1/a.zip", **wanted)


def test_a_url_is_the_same_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last, next_one = (address_at(monkeypatch, now) for now in (6000, 6059.9, 6060))

    assert first == last != next_one
    for other in ({"name": "b.zip"}, {"content_type": "text/plain"}, {"method": "HEAD"}):
        assert address_at(monkeypatch, 6000, **other) != first


@pytest.mark.parametrize("seconds", [1, 5, 59, 600])
def test_a_url_works_for_the_configured_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    settings.DOWNLOAD_URL_SECONDS = seconds

    for now in (6000.0, 6030.5, 6059.9):
        query = parse_qs(urlsplit(address_at(monkeypatch, now)).query)
        signed_at = datetime.strptime(query["X-Amz-Date"][0] + "+0000", "%Y%m%dT%H%M%SZ%z")
        left = signed_at.timestamp() + int(query["X-Amz-Expires"][0]) - now
        assert left >= settings.DOWNLOAD_URL_SECONDS
        assert int(query["X-Amz-Expires"][0]) <= min(seconds * 1.1 + 1, 660)


def test_urls_are_signed_for_the_public_endpoint(completed_job: DownloadJob, settings: Any) -> None:
    public = {"endpoint_url": "https://files.example.com"}
    options = settings.STORAGES["public"]["OPTIONS"] | public
    settings.STORAGES = settings.STORAGES | {
        "public": settings.STORAGES["public"] | {"OPTIONS": options}
    }

    file = completed_job.artifact
    url = storage.presigned_url(file.key, name="a.zip", content_type="application/zip")

    assert url.startswith("https://files.example.com/")


def test_no_url_is_valid_for_much_longer_than_ten_minutes(completed_job: DownloadJob) -> None:
    file = completed_job.artifact
    url = storage.presigned_url(file.key, name="a.zip", content_type="application/zip")

    assert "X-Amz-Expires=660" in url


def test_the_hash_of_a_stored_file_is_the_hash_of_its_bytes(bucket: Any) -> None:
    output = storage.S3Output("results/x/1/a.bin", content_type="text/plain", expected_bytes=3)
    output.write(b"abc")
    output.finish()

    assert output.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert b"".join(storage.read_object("results/x/1/a.bin")) == b"abc"
