"""The page of a user's settings: notifications, the secret, and recent deliveries."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import DownloadJob, Preferences
from jobs.states import Status
from tests.factories import LINK, JobFactory, NotificationFactory
from tests.pages.looks import BROWSER, of, text
from tests.pages.test_link import wrong

HOOK = "https://hooks.example.org/T0/secret"
SHOWN = r'<pre [^>]*id="secret"[^>]*><code>(whsec_[^<]*)</code>'


@pytest.fixture
def mailed(alice: User) -> User:
    """Return Alice with an e-mail address."""
    User.objects.update(email="alice@example.org")
    return alice


def secret_on(response: Any) -> str:
    found = re.search(SHOWN, text(response))
    assert found
    return found[1]


def test_the_account_menu_links_to_it(visitor: Client) -> None:
    assert 'href="/settings">Settings</a>' in text(visitor.get("/downloads"))


def test_settings_are_saved_and_apply_to_new_downloads(
    visitor: Client, mailed: User, broker: Any
) -> None:
    response = visitor.post("/settings", {"email": "true", "webhook": f" {HOOK} "})

    assert (response.status_code, response["Location"]) == (303, "/settings")
    preferences = Preferences.objects.get(owner=mailed)
    assert (preferences.email, preferences.webhook) == (True, HOOK)
    html = text(visitor.get("/settings"))
    assert "Saved." in html
    assert f'name="webhook" value="{HOOK}"' in html
    assert 'name="email" value="true" checked' in html
    visitor.post("/link", {"url": LINK})
    assert DownloadJob.objects.get().webhook == HOOK


def test_empty_settings_turn_notifications_off(visitor: Client, mailed: User) -> None:
    Preferences.objects.create(owner=mailed, email=True, webhook=HOOK)

    visitor.post("/settings", {"webhook": ""})

    preferences = Preferences.objects.get()
    assert (preferences.email, preferences.webhook) == (False, "")


@pytest.mark.parametrize(
    ("webhook", "status", "sentence"),
    [
        ("ftp://example.org/", 400, "http:// or https://"),
        ("example.org", 400, "http:// or https://"),
        ("https://user:pass@example.org/", 400, "password"),
        ("https://example.org/" + "a" * 2_000, 400, "2,000 characters"),
        ("https://example.org/a b", 400, "Enter a valid web address."),
        ("http://10.0.0.1/", 422, "not on the public internet"),
        ("http://localhost:9000/", 422, "not on the public internet"),
    ],
)
def test_an_invalid_webhook_has_an_error_and_changes_nothing(
    visitor: Client, mailed: User, webhook: str, status: int, sentence: str
) -> None:
    Preferences.objects.create(owner=mailed, webhook=HOOK)

    response = visitor.post("/settings", {"webhook": webhook, "email": "true"})

    assert response.status_code == status
    assert wrong(response) == {"webhook"}
    assert sentence in text(response)
    assert f'name="webhook" value="{webhook}"' in text(response)
    preferences = Preferences.objects.get()
    assert (preferences.email, preferences.webhook) == (False, HOOK)


def test_without_an_address_there_is_no_box(visitor: Client, alice: User) -> None:
    html = text(visitor.get("/settings"))

    assert 'name="email" value="true"' not in html
    assert "Your account has no email address" in html
    visitor.post("/settings", {"email": "true", "webhook": ""})
    assert not Preferences.objects.get().email


def test_the_secret_stays_the_same(visitor: Client, alice: User) -> None:
    first, second = (secret_on(visitor.get("/settings")) for _ in range(2))

    assert first == second == Preferences.objects.get().secret


def test_rotation_keeps_the_old_secret_and_a_double_click_rotates_once(
    visitor: Client, alice: User
) -> None:
    old = secret_on(visitor.get("/settings"))

    for _ in range(2):
        assert visitor.post("/settings", {"secret": old}).status_code == 303

    preferences = Preferences.objects.get()
    assert (preferences.earlier_secret, preferences.secret != old) == (old, True)
    assert preferences.secret_changed_at
    assert preferences.secret_changed_at > timezone.now() - timedelta(minutes=1)
    html = text(visitor.get("/settings"))
    assert "The old one stays valid for one day." in html
    assert old not in html


def test_the_secret_cannot_be_chosen(visitor: Client, alice: User) -> None:
    old = secret_on(visitor.get("/settings"))

    visitor.post("/settings", {"secret": "whsec_mine"})

    preferences = Preferences.objects.get()
    assert (preferences.secret, preferences.earlier_secret) == (old, "")


def test_the_last_ten_notifications_are_shown(visitor: Client, mailed: User, bob: User) -> None:
    for _ in range(9):
        NotificationFactory(owner=mailed)
    NotificationFactory(
        owner=mailed, state="failed", error="hooks.example.org returned 410.", to=HOOK
    )
    NotificationFactory(owner=mailed, tries=2, error="hooks.example.org returned 503.", to=HOOK)
    newest = NotificationFactory(owner=mailed, channel="email", to="alice@example.org", sent=True)
    NotificationFactory(owner=bob, to="https://bobs.example/")

    html = text(visitor.get("/settings"))

    deliveries = html.split(">Recent deliveries</h2>")[1].split("</section>")[0]
    assert deliveries.count("<li") == 10
    states = re.findall(r'<span class="tint small">([^<]*)</span>', deliveries)
    assert states[:4] == ["Sent", "Retrying", "Failed", "Queued"]
    assert "Email to alice@example.org" in deliveries
    assert "Webhook to hooks.example.org" in deliveries
    assert "hooks.example.org returned 410." in deliveries
    assert f'<a href="{of(newest.job)}">2 files.zip: ready</a>' in deliveries
    assert "secret" not in deliveries
    assert "bobs" not in html


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_each_outcome_has_its_word(visitor: Client, alice: User, status: Status) -> None:
    NotificationFactory(owner=alice, job=JobFactory(owner=alice, status=status))

    word = {"completed": "ready"}.get(status, status)
    assert f"2 files.zip: {word}" in text(visitor.get("/settings"))


def test_a_form_without_a_csrf_token_changes_nothing_and_returns(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    client.force_login(alice)

    response = client.post("/settings", {"webhook": HOOK})

    assert response.status_code == 403
    assert 'href="/settings">Go back' in text(response)
    assert not Preferences.objects.exclude(webhook="").exists()


def test_saving_does_not_count_as_starting_a_job(
    visitor: Client, alice: User, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"initiate": ["owner:1/60"]}

    for _ in range(3):
        assert visitor.post("/settings", {"webhook": ""}).status_code == 303
