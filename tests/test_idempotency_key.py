"""A repeated request with the same idempotency key counts once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.engine import expiry, quota
from jobs.models import DownloadJob, JobEvent
from jobs.states import Status
from tests.factories import JobFactory, StoredFileFactory

INITIATE, START = "/v1/download/initiate", "/v1/download/start"
BODY = {"file_ids": [70000, 70001], "name": "both"}
KEY = {"Idempotency-Key": "order-17"}


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.mark.django_db(transaction=True)
def test_a_repeated_request_gets_the_same_job(client_of_alice: APIClient, broker: Mock) -> None:
    first = client_of_alice.post(INITIATE, BODY, headers=KEY)
    second = client_of_alice.post(INITIATE, BODY, headers=KEY)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert JobEvent.objects.get().job == DownloadJob.objects.get()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "same",
    [{"name": "both", "file_ids": [70000, 70001]}, {**BODY, "file_ids": [70000, 70001, 70000]}],
    ids=["in another order", "a file twice"],
)
def test_equivalent_requests_are_the_same(client_of_alice: APIClient, same: Any) -> None:
    first = client_of_alice.post(INITIATE, BODY, headers=KEY).json()

    assert client_of_alice.post(INITIATE, same, headers=KEY).json()["jobId"] == first["jobId"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other",
    [
        {**BODY, "file_ids": [70000]},
        {**BODY, "file_ids": [70001, 70000]},
        {**BODY, "name": "else"},
        {**BODY, "priority": 9},
    ],
)
def test_another_request_with_the_key_is_422(client_of_alice: APIClient, other: Any) -> None:
    client_of_alice.post(INITIATE, BODY, headers=KEY)

    answer = client_of_alice.post(INITIATE, other, headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert DownloadJob.objects.count() == 1


@pytest.mark.django_db
def test_a_key_belongs_to_its_owner(client_of_alice: APIClient, bob: User) -> None:
    hers = client_of_alice.post(INITIATE, BODY, headers=KEY).json()

    his = client_of(bob).post(INITIATE, BODY, headers=KEY)

    assert his.status_code == 202
    assert "Idempotency-Replayed" not in his
    assert his.json()["jobId"] != hers["jobId"]


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "two words", "\t", "é", "x" * 256])
def test_an_invalid_key_is_400(client_of_alice: APIClient, key: str) -> None:
    answer = client_of_alice.post(INITIATE, BODY, headers={"Idempotency-Key": key})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert not DownloadJob.objects.exists()


@pytest.mark.django_db
def test_the_longest_key_is_accepted(client_of_alice: APIClient) -> None:
    answer = client_of_alice.post(INITIATE, BODY, headers={"Idempotency-Key": "~" * 255})

    assert answer.status_code == 202


@pytest.mark.django_db
def test_a_refused_request_does_not_use_its_key(client_of_alice: APIClient) -> None:
    assert client_of_alice.post(INITIATE, {"file_ids": []}, headers=KEY).status_code == 400

    assert client_of_alice.post(INITIATE, BODY, headers=KEY).status_code == 202


@pytest.mark.django_db
def test_without_a_key_two_requests_are_two_jobs(client_of_alice: APIClient) -> None:
    client_of_alice.post(INITIATE, BODY)
    client_of_alice.post(INITIATE, BODY)

    assert DownloadJob.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_replay_has_the_current_state_of_the_job(
    client_of_alice: APIClient, broker: Mock, settings: Any
) -> None:
    settings.START_WAITS_SECONDS = 0
    first = client_of_alice.post(INITIATE, BODY, headers=KEY).json()
    DownloadJob.objects.get().claim(task_id="t", worker="w")

    second = client_of_alice.post(START, BODY, headers=KEY)

    assert second.status_code == 202
    assert second["Idempotency-Replayed"] == "true"
    assert (second.json()["jobId"], second.json()["status"]) == (first["jobId"], "processing")


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_make_one_job(alice: User, broker: Mock) -> None:
    together = Barrier(50)

    def post(_: int) -> tuple[int, str, str | None]:
        client = client_of(alice)
        together.wait()
        try:
            answer = client.post(INITIATE, BODY, headers=KEY)
            return answer.status_code, answer.json()["jobId"], answer.get("Idempotency-Replayed")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(post, range(50)))

    assert {status for status, _, _ in answers} == {202}
    assert len({job_id for _, job_id, _ in answers}) == 1 == DownloadJob.objects.count()
    assert sorted(str(replayed) for _, _, replayed in answers) == ["None"] + ["true"] * 49


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_still_open_the_second_is_409(alice: User, broker: Mock) -> None:
    def post() -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
            return client_of(alice).post(INITIATE, BODY, headers=KEY)
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as threads:
        quota.lock_owner_quota(alice)  # as a request does that hangs before its commit
        answer = threads.submit(post).result()

    assert (answer.status_code, answer.json()["code"]) == (409, "still_open")
    assert answer["Retry-After"] == "1"
    assert not DownloadJob.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "jobs"), [(23, 1), (25, 2)])
def test_a_key_is_kept_for_a_day(client_of_alice: APIClient, hours: int, jobs: int) -> None:
    client_of_alice.post(INITIATE, BODY, headers=KEY)
    DownloadJob.objects.update(created_at=timezone.now() - timedelta(hours=hours))

    expiry.expire_idempotency_keys()
    client_of_alice.post(INITIATE, BODY, headers=KEY)

    assert DownloadJob.objects.count() == jobs


@pytest.mark.django_db
def test_a_double_click_creates_one_zip(client: Client, alice: User) -> None:
    StoredFileFactory(file_id=70000)
    StoredFileFactory(file_id=70001)
    client.force_login(alice)
    page = client.get("/").content.decode()
    address = page.split('formaction="')[1].split('"')[0]

    both = {"file": ["70000", "70001"]}
    first = client.post(address, both)
    second = client.post(address, both)
    other = client.post(address, both | {"name": "Another"})

    assert first["Location"] == second["Location"] != other["Location"]
    assert DownloadJob.objects.count() == 2
    assert f'formaction="{address}"' not in client.get("/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_double_click_while_the_first_hangs_is_no_500(alice: User, broker: Mock) -> None:
    StoredFileFactory(file_id=70000)
    visitor = Client(raise_request_exception=False, headers={"Accept": "text/html"})
    visitor.force_login(alice)
    address = visitor.get("/").content.decode().split('formaction="')[1].split('"')[0]

    def post() -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
            return visitor.post(address, {"file": ["70000", "70001"]})
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as threads:
        quota.lock_owner_quota(alice)
        answer = threads.submit(post).result()

    assert answer.status_code == 409
    assert b"still being recorded" in answer.content


@pytest.mark.django_db
def test_a_constraint_refuses_a_repeated_key(alice: User) -> None:
    from django.db import IntegrityError

    JobFactory(owner=alice, idempotency_key="k", status=Status.CANCELLED)

    with pytest.raises(IntegrityError), transaction.atomic():
        JobFactory(owner=alice, idempotency_key="k")
