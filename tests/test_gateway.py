"""A gateway that authenticates users names them in a header; other clients cannot."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from tests.factories import UserFactory

JOBS, INITIATE = "/v1/download/jobs", "/v1/download/initiate"


@pytest.fixture
def gateway(settings: Any, db: None) -> None:
    settings.GATEWAY_USER_HEADER = "X-User-Id"
    settings.GATEWAY_ADDRESSES = ["127.0.0.0/8"]


def get(name: str, path: str = JOBS, **extra: Any) -> Any:
    return APIClient().get(path, headers={"X-User-Id": name}, **extra)


def test_by_default_the_header_is_ignored(alice: User) -> None:
    assert get("alice").status_code == 401


def test_an_unknown_user_is_created_without_a_password(gateway: None) -> None:
    answers = [get("user-42"), get("user-42")]

    assert [answer.status_code for answer in answers] == [200, 200]
    user = User.objects.get(username="user-42")
    assert not user.has_usable_password()
    assert not user.is_staff


def test_jobs_belong_to_the_named_user(gateway: None, alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)

    answer = client.post(INITIATE, {"file_ids": [70000]}, headers={"X-User-Id": "alice"})

    assert answer.status_code == 202
    assert DownloadJob.objects.get().owner == alice


def test_other_clients_with_the_header_are_refused(gateway: None, settings: Any) -> None:
    settings.GATEWAY_ADDRESSES = ["10.0.0.1"]
    forged = {"X-User-Id": "alice", "X-Forwarded-For": "10.0.0.1"}

    answer = APIClient().get(JOBS, headers=forged)

    assert (answer.status_code, answer.json()["code"]) == (401, "untrusted_gateway")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert not User.objects.exists()


def test_a_peer_without_an_address_is_refused(gateway: None) -> None:
    assert get("alice", REMOTE_ADDR="").status_code == 401


@pytest.mark.parametrize("name", ["", "a b", "x" * 151, "alice,bob", "<b>", "a\u00a0b"])
def test_an_invalid_name_is_401(gateway: None, name: str) -> None:
    answer = get(name)

    assert (answer.status_code, answer.json()["code"]) == (401, "bad_username")
    assert not User.objects.exists()


def test_a_closed_account_stays_closed(gateway: None) -> None:
    UserFactory(username="gone", is_active=False)

    assert get("gone").json()["code"] == "user_inactive"


def test_pages_know_the_user_too(gateway: None) -> None:
    page = Client().get("/", headers={"X-User-Id": "alice"})

    assert page.status_code == 200
    assert "alice" in page.content.decode()


def test_requests_without_the_header_work_as_before(gateway: None, alice: User) -> None:
    client = Client()
    client.force_login(alice)

    assert client.get(JOBS).status_code == 200
    assert APIClient().get(JOBS).status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://testserver", 202), (None, 202)],
)
def test_forms_of_other_sites_are_refused(
    gateway: None, alice: User, origin: str | None, status: int
) -> None:
    headers = {"X-User-Id": "alice"} | ({"Origin": origin} if origin else {})

    answer = APIClient().post(INITIATE, {"file_ids": [70000]}, headers=headers)

    assert answer.status_code == status
    assert DownloadJob.objects.count() == (status == 202)
