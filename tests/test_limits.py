"""Limits of active jobs for an owner and for all; over a limit, nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from jobs.engine.submission import resubmit_job, submit_job
from jobs.errors import TooManyActive
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Status
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory, UserFactory, ready_jobs
from tests.kinds import Stamped

INITIATE = "/v1/download/initiate"


def initiate(client: APIClient, *file_ids: int, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(INITIATE, {"file_ids": list(file_ids) or [70000]}, headers=headers)


def test_one_active_job_too_many_is_429(
    client_of_alice: APIClient, alice: User, broker: Any, settings: Any
) -> None:
    settings.MAX_ACTIVE_JOBS = 2
    JobFactory(owner=alice, status=Status.PROCESSING)
    JobFactory(owner=alice, status=Status.COMPLETED)

    answers = [initiate(client_of_alice) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 429]
    assert answers[1].json()["code"] == "too_many_active"
    assert int(answers[1]["Retry-After"]) > 0
    assert DownloadJob.objects.unfinished().count() == 2


def test_jobs_of_others_do_not_count(client_of_alice: APIClient, bob: User, settings: Any) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    JobFactory(owner=bob)

    assert initiate(client_of_alice).status_code == 202


def test_a_replay_is_allowed_at_the_limit(client_of_alice: APIClient, settings: Any) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    first = initiate(client_of_alice, key="k")

    again = initiate(client_of_alice, key="k")

    assert (again.status_code, again.json()["jobId"]) == (202, first.json()["jobId"])
    assert initiate(client_of_alice, key="other").status_code == 429


@pytest.mark.django_db(transaction=True)
def test_fifty_concurrent_requests_respect_the_limit(broker: Any, settings: Any) -> None:
    settings.MAX_ACTIVE_JOBS = 10
    owner = UserFactory()

    def ask(_: int) -> bool:
        try:
            submit_job(owner=owner, kind="bundle", params={"file_ids": [70000]})
        except TooManyActive:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(10) as threads:
        taken = sum(threads.map(ask, range(50)))

    assert taken == DownloadJob.objects.filter(owner=owner).count() == 10


def test_a_queue_that_is_too_long_is_503_for_everybody(
    client_of_alice: APIClient, bob: User, settings: Any
) -> None:
    settings.MAX_QUEUED_JOBS = 3
    ready_jobs(bob, 3)

    answer = initiate(client_of_alice)

    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert answer["Retry-After"] == "30"
    assert DownloadJob.objects.count() == 3


def test_exceeding_the_owners_storage_is_429(
    client_of_alice: APIClient, alice: User, bob: User, settings: Any
) -> None:
    settings.OWNER_STORAGE_BYTES = 1_000
    ArtifactFactory(owner=alice, size_bytes=400)
    ArtifactFactory(owner=bob, size_bytes=5_000)
    JobFactory(owner=alice, total=300)
    fits = StoredFileFactory(size_bytes=300).file_id
    does_not = StoredFileFactory(size_bytes=301).file_id

    refused = initiate(client_of_alice, does_not)

    assert (refused.status_code, refused.json()["code"]) == (429, "storage_full")
    assert initiate(client_of_alice, fits).status_code == 202


@pytest.mark.parametrize(("is_stored", "code"), [(True, 202), (False, 429)])
def test_a_file_that_becomes_the_result_is_counted_once(
    client_of_alice: APIClient,
    alice: User,
    settings: Any,
    add_kinds: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    is_stored: bool,
    code: int,
) -> None:
    add_kinds("tests.kinds.Stamped")
    monkeypatch.setattr(Stamped, "is_stored", is_stored)
    settings.OWNER_STORAGE_BYTES = 1_000
    StoredFileFactory(
        owner=alice, key="raw/a.txt", role=StoredFile.Role.UPLOAD, file_id=None, size_bytes=400
    )
    JobFactory(owner=alice, kind=Stamped.name, total=400)
    fits = StoredFileFactory(size_bytes=600).file_id

    assert initiate(client_of_alice, fits).status_code == code


def test_retries_count_but_not_for_operators(
    client_of_alice: APIClient, alice: User, settings: Any
) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    JobFactory(owner=alice)
    failed = JobFactory(owner=alice, status=Status.FAILED)

    assert client_of_alice.post(f"/v1/download/{failed.pk}/retry").status_code == 429
    failed.refresh_from_db()
    assert failed.status == Status.FAILED

    resubmit_job(failed, Actor.OPERATOR)

    assert failed.status == Status.QUEUED


def test_an_invalid_retry_is_409_at_the_limit_too(
    client_of_alice: APIClient, alice: User, settings: Any
) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    job = JobFactory(owner=alice)

    assert client_of_alice.post(f"/v1/download/{job.pk}/retry").status_code == 409


def test_the_page_shows_the_limit_and_keeps_the_selection(
    client: Client, alice: User, settings: Any
) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    JobFactory(owner=alice)
    file = StoredFileFactory()
    client.force_login(alice)

    page = client.post("/downloads", {"file": [file.file_id], "name": "mine"})

    assert page.status_code == 429
    assert "1 active downloads are the maximum" in page.content.decode()
    assert 'value="mine"' in page.content.decode()
