"""The admin pages of API keys."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import ApiKey
from tests.factories import make_key, staff_who_may

LIST = "/admin/jobs/apikey/"
SECRETS = ("https://hooks.example.org/secret", "whsec_")


@pytest.fixture
def key(alice: User) -> str:
    return make_key(alice, "read", "upload", webhook=SECRETS[0])


@pytest.fixture
def admin(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def revoke(client: Client) -> Any:
    chosen = [str(key.pk) for key in ApiKey.objects.all()]
    return client.post(LIST, {"action": "revoke_selected", "_selected_action": chosen})


def test_list_shows_keys_without_secrets(admin: Client, key: str, bob: User) -> None:
    make_key(bob, "read", name="Old", expires_at=timezone.now())
    make_key(bob, "read", name="Gone", revoked_at=timezone.now())

    page = admin.get(LIST).content.decode()

    assert f"{key[:10]}" in page
    assert "read, upload" in page
    for state in ("Active", "Expired", "Revoked"):
        assert f">{state}<" in page
    for secret in (*SECRETS, ApiKey.objects.filter(webhook__gt="").get().digest, key):
        assert secret not in page


def test_page_is_read_only_and_has_no_secrets(admin: Client, key: str) -> None:
    row = ApiKey.objects.get()
    url = f"{LIST}{row.pk}/change/"

    page = admin.get(url).content.decode()
    admin.post(url, {"name": "Changed", "scopes": "admin"})

    assert row.prefix in page
    for secret in (*SECRETS, row.digest, key):
        assert secret not in page
    assert ApiKey.objects.get().name == row.name
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.get(f"{LIST}{row.pk}/delete/").status_code == 403


def test_revoked_keys_are_refused_and_logged(admin: Client, key: str) -> None:
    revoke(admin)
    revoke(admin)

    headers = {"Authorization": f"Bearer {key}"}
    assert Client().get("/v1/download/jobs", headers=headers).status_code == 401
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Revoked."]


def test_revoking_needs_the_change_permission(client: Client, key: str) -> None:
    client.force_login(staff_who_may("view_apikey"))

    assert client.get(LIST).status_code == 200
    revoke(client)

    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize("text", ["{key}", "{prefix}", "alice"])
def test_keys_are_found_by_their_beginning_or_owner(
    admin: Client, key: str, bob: User, text: str
) -> None:
    make_key(bob, "read", name="Of Bob")

    page = admin.get(LIST, {"q": text.format(key=key, prefix=key[:10])}).content.decode()

    assert key[:10] in page
    assert "Of Bob" not in page
