"""Tokens: issued for a password, renewed once each, revoked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from jobs.engine.expiry import expire_refresh_tokens
from jobs.models import EndedTokenFamily
from tests.factories import UserFactory

JOBS, TOKEN = "/v1/download/jobs", "/v1/auth/token"


def sign_in(name: str = "alice", password: str = "correct horse") -> Any:
    return APIClient().post(TOKEN, {"username": name, "password": password})


def renew(refresh: str) -> Any:
    return APIClient().post(f"{TOKEN}/refresh", {"refresh": refresh})


def revoke(refresh: str) -> Any:
    return APIClient().post(f"{TOKEN}/revoke", {"refresh": refresh})


def jobs_with(access: str) -> int:
    headers = {"Authorization": f"Bearer {access}"}
    return int(APIClient().get(JOBS, headers=headers).status_code)


def test_a_refresh_token_gives_a_new_pair_once(alice: User) -> None:
    first = sign_in().json()

    second = renew(first["refresh"])
    again = renew(first["refresh"])

    assert second.status_code == 200
    assert jobs_with(second.json()["access"]) == 200
    assert renew(second.json()["refresh"]).status_code == 200
    assert (again.status_code, again["Content-Type"]) == (401, "application/problem+json")
    assert again["WWW-Authenticate"].startswith("Bearer")


def used_long_ago(refresh: str) -> None:
    """End the time in which an honest client may repeat a refresh."""
    row = BlacklistedToken.objects.filter(token__jti=RefreshToken(refresh, verify=False)["jti"])
    assert row.update(blacklisted_at=timezone.now() - timedelta(seconds=11))


@pytest.mark.parametrize("again", [renew, revoke])
def test_a_reused_token_ends_its_successors(alice: User, again: Any) -> None:
    first, other = sign_in().json(), sign_in().json()
    second = renew(first["refresh"]).json()
    third = renew(second["refresh"]).json()
    used_long_ago(first["refresh"])

    assert again(first["refresh"]).status_code == 401

    ended = renew(third["refresh"])
    assert (ended.status_code, ended.json()["code"]) == (401, "token_not_valid")
    assert revoke(third["refresh"]).status_code == 401
    assert renew(other["refresh"]).status_code == 200  # of another sign-in
    assert sign_in().status_code == 200


def test_a_reused_earlier_token_ends_its_successors(alice: User) -> None:
    second = renew(sign_in().json()["refresh"]).json()
    third = renew(second["refresh"]).json()
    used_long_ago(second["refresh"])

    assert renew(second["refresh"]).status_code == 401
    assert renew(third["refresh"]).status_code == 401


def test_a_token_sent_twice_at_once_ends_nothing(alice: User) -> None:
    first = sign_in().json()
    second = renew(first["refresh"]).json()

    assert renew(first["refresh"]).status_code == 401
    assert renew(second["refresh"]).status_code == 200


def test_a_forged_or_expired_token_ends_nothing(alice: User) -> None:
    first = sign_in().json()
    second = renew(first["refresh"]).json()
    used_long_ago(first["refresh"])
    forged = RefreshToken(first["refresh"], verify=False)
    forged.set_exp(lifetime=-timedelta(minutes=1))

    assert renew(first["refresh"][:-3] + "abc").status_code == 401
    assert renew(str(forged)).status_code == 401
    assert renew(second["refresh"]).status_code == 200


def test_a_token_without_a_family_starts_one(alice: User) -> None:
    old = str(RefreshToken.for_user(alice))
    second = renew(old).json()
    used_long_ago(old)

    assert renew(old).status_code == 401
    assert renew(second["refresh"]).status_code == 401


def test_the_stored_token_is_that_of_the_response(alice: User) -> None:
    second = renew(sign_in().json()["refresh"]).json()

    assert OutstandingToken.objects.filter(token=second["refresh"]).exists()
    assert "family" not in AccessToken(second["access"])


@pytest.mark.django_db(transaction=True)
def test_concurrent_renewals_of_a_token_give_one_pair() -> None:
    UserFactory(username="alice")
    refresh = sign_in().json()["refresh"]

    def ask(_: int) -> int:
        try:
            return int(renew(refresh).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(ask, range(16)))

    assert statuses == [200] + [401] * 15


@pytest.mark.django_db(transaction=True)
def test_a_database_error_within_a_renewal_costs_no_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    UserFactory(username="alice")
    refresh = sign_in().json()["refresh"]
    with monkeypatch.context() as away:
        away.setattr("jobs.web.api.tokens._pair", Mock(side_effect=OperationalError))
        assert renew(refresh).status_code == 503

    assert renew(refresh).status_code == 200


def test_a_revoked_token_cannot_be_renewed(alice: User) -> None:
    refresh = sign_in().json()["refresh"]

    assert revoke(refresh).status_code == 204
    assert renew(refresh).status_code == 401
    assert revoke(refresh).status_code == 401


def test_a_new_password_ends_all_tokens(alice: User) -> None:
    pair = sign_in().json()

    alice.set_password("another")
    alice.save()

    assert jobs_with(pair["access"]) == 401
    assert renew(pair["refresh"]).status_code == 401


@pytest.mark.parametrize("change", ["deactivated", "deleted"])
def test_a_closed_account_cannot_renew(alice: User, change: str) -> None:
    refresh = sign_in().json()["refresh"]
    if change == "deleted":
        alice.delete()
    else:
        User.objects.filter(pk=alice.pk).update(is_active=False)

    assert renew(refresh).status_code == 401
    assert change == "deleted" or sign_in().status_code == 401


def test_tokens_work_only_for_their_purpose(alice: User) -> None:
    pair = sign_in().json()

    assert jobs_with(pair["refresh"]) == 401
    assert renew(pair["access"]).status_code == 401
    assert revoke(pair["access"]).status_code == 401


@pytest.mark.parametrize("name", ["alice", "1.5", None, [1], {}])
def test_a_token_with_an_invalid_user_id_is_401(alice: User, name: Any) -> None:
    access, refresh = AccessToken.for_user(alice), RefreshToken.for_user(alice)
    access["user_id"] = refresh["user_id"] = name

    assert jobs_with(str(access)) == 401
    assert renew(str(refresh)).status_code == 401


@pytest.mark.parametrize("bad", ["", "garbage", "a.b.c", "x" * 5_000])
def test_an_invalid_token_is_4xx(db: None, bad: str) -> None:
    assert renew(bad).status_code in (400, 401)
    assert revoke(bad).status_code in (400, 401)


@pytest.mark.parametrize(
    "body",
    [
        {"username": "alice"},
        {"username": "alice", "password": "correct horse", "remember": True},
        {"username": ["alice"], "password": "correct horse"},
        {"username": "alice", "password": "x" * 1_001},
        {"username": "a" * 151, "password": "x"},
    ],
)
def test_an_invalid_sign_in_is_400(alice: User, body: dict[str, Any]) -> None:
    assert APIClient().post(TOKEN, body).status_code == 400


def test_spaces_belong_to_a_password(db: None) -> None:
    UserFactory(username="blank", password=" blank ")

    assert sign_in("blank", " blank ").status_code == 200
    assert sign_in("blank", "blank").status_code == 401


def test_tokens_are_not_cached_and_unknown_accounts_not_revealed(alice: User) -> None:
    wrong, unknown = sign_in(password="wrong"), sign_in("nobody")

    assert sign_in()["Cache-Control"] == "private, no-store"
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


def test_expired_tokens_are_deleted(alice: User) -> None:
    first, _ = sign_in().json(), sign_in()
    revoke(first["refresh"])
    OutstandingToken.objects.filter(token=first["refresh"]).update(
        expires_at="2020-01-01T00:00:00Z"
    )

    EndedTokenFamily.objects.end("of now")
    EndedTokenFamily.objects.create(family="old", expires_at="2020-01-01T00:00:00Z")

    assert expire_refresh_tokens() == 1
    assert OutstandingToken.objects.count() == 1
    assert EndedTokenFamily.objects.get().family == "of now"


def test_operators_do_not_see_tokens(client: Client, operator: User) -> None:
    client.force_login(operator)

    assert client.get("/admin/token_blacklist/outstandingtoken/").status_code == 404


def test_a_session_without_the_csrf_token_is_403_and_says_why(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    answer = client.post(
        "/v1/download/initiate", {"file_ids": [70000]}, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
