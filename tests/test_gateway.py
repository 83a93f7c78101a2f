"""A gateway that authenticates users names them in a header; other clients cannot."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
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


@pytest.fixture
def details(gateway: None, settings: Any) -> None:
    settings.GATEWAY_EMAIL_HEADER, settings.GATEWAY_GROUPS_HEADER = "X-Email", "X-Groups"
    settings.STAFF_GROUP = "operators"
    for name in ("editors", "readers"):
        Group.objects.create(name=name)


def account_after(**headers: str) -> tuple[str, set[str], bool]:
    """Send a request of alice. Return her address and groups, and whether she is staff."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    assert APIClient().get(JOBS, headers={"X-User-Id": "alice"} | names).status_code == 200
    user = User.objects.get()
    return user.email, set(user.groups.values_list("name", flat=True)), user.is_staff


def test_the_account_follows_the_headers(details: None) -> None:
    first = account_after(X_Email="alice@acme.example", X_Groups="editors, operators,unknown")
    assert first == ("alice@acme.example", {"editors"}, True)
    assert account_after() == first  # a missing header changes nothing
    moved = account_after(X_Email="al@acme.example", X_Groups="readers")
    assert moved == ("al@acme.example", {"readers"}, False)
    assert account_after(X_Groups="") == ("al@acme.example", set(), False)
    assert Group.objects.count() == 2


def test_removed_staff_is_shut_out_by_the_same_request(details: None) -> None:
    def stats(groups: str) -> int:
        headers = {"X-User-Id": "alice", "X-Groups": groups}
        return APIClient().get("/workers/stats", headers=headers).status_code

    User.objects.create(username="alice", is_superuser=True)
    assert [stats("operators"), stats("readers"), stats("operators")] == [200, 403, 200]


@pytest.mark.parametrize("email", ["", "nobody", "a@b.org, c@d.org", "x" * 250 + "@acme.example"])
def test_an_invalid_address_is_ignored(details: None, email: str) -> None:
    account_after(X_Email="alice@acme.example")

    assert account_after(X_Email=email)[0] == "alice@acme.example"


def test_an_address_of_somebody_else_is_ignored_where_they_are_unique(
    details: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User._meta.get_field("email"), "unique", True)
    UserFactory(username="bob", email="bob@acme.example")
    headers = {"X-User-Id": "alice", "X-Email": "bob@acme.example"}

    assert APIClient().get(JOBS, headers=headers).status_code == 200

    assert User.objects.get(username="alice").email == ""


def test_nothing_is_written_when_nothing_changed(details: None) -> None:
    headers = {"X_Email": "alice@acme.example", "X_Groups": "editors,operators"}
    account_after(**headers)

    with CaptureQueriesContext(connection) as queries:
        account_after(**headers)

    writes = [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert not writes


def test_only_the_gateway_sends_details(details: None, alice: User, settings: Any) -> None:
    forged = {"X-Groups": "operators", "X-Email": "evil@acme.example"}
    client = Client()
    client.force_login(alice)

    client.get(JOBS, headers=forged)  # without a user of the gateway
    settings.GATEWAY_ADDRESSES = ["10.0.0.1"]
    client.get(JOBS, headers=forged | {"X-User-Id": "alice"})

    alice.refresh_from_db()
    assert (alice.email, alice.is_staff, alice.groups.count()) == ("", False, 0)


def test_an_address_of_the_gateway_is_not_changed_here(details: None) -> None:
    headers = {"X-User-Id": "alice", "X-Email": "alice@acme.example"}

    page = Client().get("/settings", headers=headers).content.decode()

    assert "alice@acme.example" in page
    assert "can be changed there" in page
    assert 'name="email" value=""' not in page


def test_without_the_settings_the_headers_are_ignored(gateway: None) -> None:
    assert account_after(X_Email="a@acme.example", X_Groups="x") == ("", set(), False)


def test_a_disabled_account_is_not_updated(details: None) -> None:
    UserFactory(username="gone", is_active=False)

    APIClient().get(JOBS, headers={"X-User-Id": "gone", "X-Groups": "operators"})

    assert not User.objects.get().is_staff
