"""API keys on the settings page: create, show once, list, revoke. Without JavaScript."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.engine import api_keys
from jobs.models import ApiKey
from jobs.models.api_key import KEY
from tests.factories import make_key
from tests.pages.looks import BROWSER, INLINE, text

CREATE = "/settings/keys"
FORM = {"name": "Nightly export", "scopes": ["read", "start"], "days": "90", "webhook": ""}
HOOK = "https://hooks.example.org/keys"


def create(visitor: Client, **members: Any) -> Any:
    return visitor.post(CREATE, {"id": str(uuid4())} | FORM | members)


def revoke_url(key: ApiKey) -> str:
    return f"{CREATE}/{key.pk}/revoke"


def test_new_key_is_shown_once(visitor: Client, alice: User) -> None:
    response = create(visitor)

    (found,) = KEY.findall(text(response))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert "It is not shown again." in text(response)
    assert not INLINE.search(text(response))
    headers = {"Authorization": f"Bearer {found}"}
    assert Client().get("/v1/download/jobs", headers=headers).status_code == 200
    later = text(visitor.get("/settings"))
    assert not KEY.search(later)
    assert f"{found[:10]}…" in later
    key = ApiKey.objects.get()
    assert (key.owner, key.scopes) == (alice, ["read", "start"])
    assert timedelta(89) < key.expires_at - timezone.now() < timedelta(91)  # type: ignore[operator]


def test_the_webhook_of_a_key_has_a_secret_of_its_own(visitor: Client) -> None:
    response = create(visitor, webhook=f" {HOOK} ")

    key = ApiKey.objects.get()
    assert key.webhook == HOOK
    assert f"<code>{html.escape(key.webhook_secret)}</code>" in text(response)
    later = text(visitor.get("/settings"))
    assert "Webhook to hooks.example.org" in later
    assert key.webhook_secret not in html.unescape(later)


@pytest.mark.parametrize(("days", "expires"), [("30", 30), ("365", 365), ("", None)])
def test_a_key_expires_as_chosen(visitor: Client, days: str, expires: int | None) -> None:
    create(visitor, days=days)

    at = ApiKey.objects.get().expires_at
    assert (at and round((at - timezone.now()) / timedelta(days=1))) == expires


def test_the_same_form_sent_twice_makes_one_key(visitor: Client) -> None:
    form_id = str(uuid4())

    create(visitor, id=form_id)
    again = create(visitor, id=form_id)

    assert (again.status_code, again["Location"]) == (303, "/settings")
    assert "This key was created before." in text(visitor.get("/settings"))
    assert ApiKey.objects.count() == 1


def test_the_id_of_somebody_elses_key_changes_nothing(visitor: Client, bob: User) -> None:
    make_key(bob, "read")
    before = ApiKey.objects.values().get()

    response = create(visitor, id=str(before["id"]))

    assert not KEY.search(text(response))
    assert ApiKey.objects.values().get() == before


@pytest.mark.parametrize(
    ("members", "status", "sentence"),
    [
        ({"name": " "}, 400, "This field is required."),
        ({"name": "x" * 101}, 400, "Ensure this field has no more than 100 characters."),
        ({"scopes": []}, 400, "Choose at least one."),
        ({"scopes": ["admin"]}, 400, "Choose at least one."),
        ({"scopes": ["other"]}, 400, "Choose at least one."),
        ({"webhook": "ftp://example.org"}, 400, "http"),
        ({"webhook": "http://10.0.0.1/"}, 422, "10.0.0.1 is not on the public internet."),
    ],
)
def test_an_invalid_form_is_shown_again(
    visitor: Client, members: dict[str, Any], status: int, sentence: str
) -> None:
    response = create(visitor, **members)

    page = text(response)
    assert response.status_code == status
    assert sentence in re.findall(r'role="alert">(.*?)</p>', page)[0]
    assert '<details class="more pad" open>' in page
    assert not ApiKey.objects.exists()
    if "name" not in members:
        assert 'name="name" value="Nightly export"' in page


def test_too_many_keys_are_refused(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "MAX_KEYS", 1)
    create(visitor)

    response = create(visitor)

    assert response.status_code == 429
    assert "You have 1 keys. Revoke one first." in text(response)


def test_only_staff_are_offered_the_scope_admin(visitor: Client, alice: User) -> None:
    assert 'value="admin"' not in text(visitor.get("/settings"))

    User.objects.filter(pk=alice.pk).update(is_staff=True)

    assert 'value="admin"' in text(visitor.get("/settings"))
    create(visitor, scopes=["admin"])
    assert ApiKey.objects.get().scopes == ["admin"]


def test_the_list_says_how_keys_are_used(visitor: Client, alice: User, bob: User) -> None:
    make_key(alice, "read", name="Used", last_used_at=timezone.now())
    make_key(alice, "upload", name="Expired", expires_at=timezone.now())
    make_key(alice, "read", name="Revoked", revoked_at=timezone.now())
    make_key(bob, "read", name="Of Bob")

    page = text(visitor.get("/settings"))

    assert re.findall(r"<h3>(\w+)</h3>", page)[:2] == ["Expired", "Used"]
    assert "Last used" in page
    assert 'class="tint">Expired' in page
    assert "Does not expire" in page
    assert "Of Bob" not in page
    assert "Revoked" not in page


def test_a_name_is_escaped(visitor: Client, alice: User) -> None:
    make_key(alice, "read", name="<script>")

    assert "<h3>&lt;script&gt;</h3>" in text(visitor.get("/settings"))


def test_a_key_is_revoked_with_a_confirmation(visitor: Client, alice: User) -> None:
    make_key(alice, "read")
    key = ApiKey.objects.get()
    assert f'<form method="post" action="{revoke_url(key)}">' in text(visitor.get("/settings"))

    first, second = [visitor.post(revoke_url(key)) for _ in range(2)]

    assert (first.status_code, second.status_code) == (303, 303)
    assert ApiKey.objects.get().revoked_at
    assert text(visitor.get("/settings")).count("Key revoked.") == 1


def test_keys_of_others_cannot_be_revoked(visitor: Client, bob: User) -> None:
    make_key(bob, "read")
    key = ApiKey.objects.get()

    assert visitor.post(revoke_url(key), headers=BROWSER).status_code == 403
    assert visitor.post(f"{CREATE}/{uuid4()}/revoke", headers=BROWSER).status_code == 404
    assert ApiKey.objects.get().revoked_at is None


def test_the_address_of_the_form_leads_to_the_settings(visitor: Client) -> None:
    assert visitor.get(CREATE)["Location"] == "/settings"


def test_strangers_are_sent_to_sign_in(client: Client, alice: User) -> None:
    make_key(alice, "read")

    for response in (create(client), client.post(revoke_url(ApiKey.objects.get()))):
        assert response["Location"].startswith("/sign-in?next=/settings")
    assert ApiKey.objects.get().revoked_at is None


def test_the_forms_need_a_csrf_token(alice: User) -> None:
    make_key(alice, "read")
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    for response in (create(client), client.post(revoke_url(ApiKey.objects.get()))):
        assert response.status_code == 403
    assert ApiKey.objects.get().revoked_at is None
