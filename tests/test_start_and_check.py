"""POST /v1/download/start, which waits for the job, and /v1/download/check."""

from __future__ import annotations

import threading
import time
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from jobs.kinds.bundle.api import MAX_WAITING_STARTS, Start
from jobs.models import DownloadJob, StoredFile
from tests.factories import StoredFileFactory


@pytest.mark.django_db(transaction=True)
def test_start_returns_the_finished_job(
    client_of_alice: APIClient, stored_files: list[StoredFile], broker: Mock
) -> None:
    def work() -> None:
        from django.db import connection

        while not (job := DownloadJob.objects.first()):
            time.sleep(0.05)
        job.claim(task_id="t", worker="w")
        job.fail("code", "Sentence.")
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()

    response = client_of_alice.post("/v1/download/start", {"file_ids": [70000]})

    worker.join()
    assert response.status_code == 200
    assert response.json()["status"] == "failed"


def test_start_returns_202_after_its_timeout(
    client_of_alice: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.START_WAITS_SECONDS = 0.1

    response = client_of_alice.post("/v1/download/start", {"file_ids": [70000]})

    assert response.status_code == 202
    assert response["Location"].startswith("/v1/download/status/")


def test_only_a_few_starts_wait_at_once(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.BoundedSemaphore(MAX_WAITING_STARTS)
    for _ in range(MAX_WAITING_STARTS):
        full.acquire()
    monkeypatch.setattr(Start, "waiting", full)
    began = time.monotonic()

    response = client_of_alice.post("/v1/download/start", {"file_ids": [70000]})

    assert response.status_code == 202
    assert time.monotonic() - began < 10  # it would wait twice as long


def test_check_returns_whether_the_file_is_available(
    client_of_alice: APIClient, stored_files: Any
) -> None:
    response = client_of_alice.post("/v1/download/check", {"file_id": 70002})

    file = stored_files[2]
    assert response.json() == {
        "file_id": 70002,
        "available": True,
        "s3Key": file.key,
        "size": file.size_bytes,
        "sha256": file.sha256,
    }


def test_anonymous_users_can_check_the_public_catalogue(stored_files: Any) -> None:
    response = APIClient().post("/v1/download/check", {"file_id": 70001})

    assert response.json()["available"] is True


@pytest.mark.django_db
def test_a_private_file_looks_like_a_missing_one(alice: User, bob: User) -> None:
    StoredFileFactory(file_id=70005, owner=bob)
    client = APIClient()
    client.force_authenticate(alice)

    private = client.post("/v1/download/check", {"file_id": 70005}).json()
    missing = client.post("/v1/download/check", {"file_id": 70006}).json()

    assert {**private, "file_id": 0} == {**missing, "file_id": 0}
    assert private["available"] is False


def test_a_row_without_an_object_is_not_available(client_of_alice: APIClient, bucket: Any) -> None:
    StoredFileFactory(file_id=70007)

    response = client_of_alice.post("/v1/download/check", {"file_id": 70007})

    assert response.json()["available"] is False


@pytest.mark.parametrize("body", [{}, {"file_id": "70000"}, {"file_id": 5}, {"file_ids": [70000]}])
def test_an_invalid_check_is_400(client_of_alice: APIClient, body: Any) -> None:
    assert client_of_alice.post("/v1/download/check", body).status_code == 400
