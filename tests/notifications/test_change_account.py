"""A new email address counts once its link was followed; a new password ends other sessions."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from jobs.models import Notification, Preferences
from jobs.notifications import account_links
from tests.notifications.outbox import SITE, attempt
from tests.notifications.smtp import MailServer
from tests.notifications.test_mail import html_of, text_of
from tests.pages.looks import BROWSER, text
from tests.pages.test_link import wrong

pytestmark = pytest.mark.django_db(transaction=True)

NEW, PASSWORD = "alice@new.example", "correct horse"
NEW_PASSWORD = "a different horse"
JOBS = "/v1/download/jobs"


@pytest.fixture
def visitor(alice: User) -> Client:
    """Return a browser in which Alice signed in with her password."""
    client = Client(headers=BROWSER)
    client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    return client


def request_change(visitor: Client, email: str = NEW, password: str = PASSWORD) -> Any:
    return visitor.post("/settings/email", {"email": email, "password": password})


def mailed_link(post: MailServer, to: str = NEW) -> str:
    """Send the waiting mail to that address, and return the path and query of its link."""
    attempt(Notification.objects.get(channel="account", to=to, state="waiting"))
    found = re.search(rf"{SITE}(/\S+)", text_of(post.mails[-1]))
    assert found
    return found[1]


def address(user: User) -> str:
    user.refresh_from_db()
    return user.email


def test_a_new_address_counts_once_its_link_was_followed(
    post: MailServer, visitor: Client, alice: User
) -> None:
    response = request_change(visitor)

    assert (response.status_code, response["Location"]) == (303, "/settings")
    page = text(visitor.get("/settings"))
    assert f"We sent a link to {NEW}." in page
    assert f"Waiting for confirmation of {NEW}" in page
    link = mailed_link(post)
    assert post.recipients == [NEW]
    stranger = Client(headers=BROWSER)  # the mail is read on another device
    assert f"go to {NEW}?" in text(stranger.get(link))
    assert address(alice) == "alice@example.com"  # a scanner of mails follows links
    assert "Address confirmed" in text(stranger.post(link))
    assert address(alice) == NEW
    assert "Waiting for confirmation" not in text(visitor.get("/settings"))


def test_the_old_address_gets_a_notice(post: MailServer, visitor: Client) -> None:
    request_change(visitor)
    link = mailed_link(post)

    for _ in range(2):  # a double click sends one
        assert "Address confirmed" in text(Client(headers=BROWSER).post(link))

    (notice,) = Notification.objects.filter(to="alice@example.com")
    attempt(notice)
    assert post.mails[-1]["Subject"] == "Your email address was changed"
    for said in (text_of(post.mails[-1]), html_of(post.mails[-1])):
        assert NEW in said
        assert "If this was not you, contact your administrator." in said


def test_the_first_address_needs_no_notice(post: MailServer, visitor: Client) -> None:
    User.objects.update(email="")
    request_change(visitor)

    Client().post(mailed_link(post))

    assert User.objects.get().email == NEW
    assert Notification.objects.count() == 1


def test_the_table_of_notifications_has_no_link(post: MailServer, visitor: Client) -> None:
    request_change(visitor)

    mailed_link(post)

    row = Notification.objects.get()
    assert row.content == {"notice": "confirm_email"}


def test_the_link_does_not_tell_the_old_address(post: MailServer, visitor: Client) -> None:
    request_change(visitor)

    token = mailed_link(post).partition("token=")[2].partition("%3A")[0]

    payload = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert NEW.encode() in payload
    assert b"alice@example.com" not in payload


@pytest.mark.parametrize(
    ("given", "fields", "sentence"),
    [
        ({"email": "", "password": PASSWORD}, {"email"}, "Enter an email address."),
        ({"email": "a@b", "password": PASSWORD}, {"email"}, "Enter a valid email address."),
        ({"email": "alice@example.com", "password": PASSWORD}, {"email"}, "already your address"),
        ({"email": f"{'a' * 250}@x.org", "password": PASSWORD}, {"email"}, "254 characters"),
        ({"email": "a@b.org\nBcc: c@d.org", "password": PASSWORD}, {"email"}, "valid email"),
        ({"email": NEW, "password": ""}, {"password"}, "Enter your current password."),
        ({"email": NEW, "password": "wrong"}, {"password"}, "not your current password"),
        ({"email": NEW}, {"password"}, "Enter your current password."),
    ],
)
def test_a_mistake_has_an_error_at_its_field_and_mails_nothing(
    post: MailServer, visitor: Client, given: dict[str, str], fields: set[str], sentence: str
) -> None:
    response = visitor.post("/settings/email", given)

    assert response.status_code == 400
    assert wrong(response) == fields
    assert sentence in text(response)
    assert not Notification.objects.exists()
    assert not Preferences.objects.exclude(unconfirmed_email="").exists()


def test_an_account_without_a_password_is_asked_for_none(post: MailServer, alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    client = Client(headers=BROWSER)
    client.force_login(alice)

    page = text(client.get("/settings"))
    assert 'type="password"' not in page
    assert client.post("/settings/email", {"email": NEW}).status_code == 303
    assert client.post("/settings/password", {}).status_code == 404
    assert mailed_link(post)


def test_only_the_latest_address_can_be_confirmed(
    post: MailServer, visitor: Client, alice: User
) -> None:
    request_change(visitor)
    first = mailed_link(post)
    request_change(visitor, "alice@newer.example")
    second = mailed_link(post, "alice@newer.example")

    response = Client(headers=BROWSER).post(first)

    assert response.status_code == 400
    assert "This link no longer works" in text(response)
    assert address(alice) == "alice@example.com"
    Client().post(second)
    assert address(alice) == "alice@newer.example"
    assert Client().post(first).status_code == 400


def test_a_mail_that_is_late_is_not_sent_for_an_older_request(
    post: MailServer, visitor: Client
) -> None:
    request_change(visitor)
    request_change(visitor, "alice@newer.example")

    row = attempt(Notification.objects.get(to=NEW))

    assert (row.state, post.mails) == ("failed", [])


def test_a_change_can_be_cancelled(post: MailServer, visitor: Client, alice: User) -> None:
    request_change(visitor)
    link = mailed_link(post)

    visitor.post("/settings/email", {"cancel": "true"})

    assert Client().post(link).status_code == 400
    assert address(alice) == "alice@example.com"


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": "by@an.operator"}])
def test_a_link_does_not_work_for_an_account_that_changed_since(
    post: MailServer, visitor: Client, alice: User, change: dict[str, Any]
) -> None:
    request_change(visitor)
    link = mailed_link(post)
    User.objects.update(**change)

    assert Client().post(link).status_code == 400

    assert address(alice) == change.get("email", "alice@example.com")


def test_forged_and_old_links_do_not_work(
    post: MailServer, visitor: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_change(visitor)
    link = mailed_link(post)

    for bad in ("", "?token=", "?token=x", f"?{urlsplit(link).query}x", "?token=%00"):
        assert Client().post(f"/settings/email/confirm{bad}").status_code == 400, bad
    monkeypatch.setattr(account_links, "CONFIRM_EMAIL_AGE", timedelta(seconds=-1))
    assert Client().get(link).status_code == 400
    assert address(alice) == "alice@example.com"


def test_without_mail_no_address_can_be_confirmed(visitor: Client, settings: Any) -> None:
    settings.MAIL_IS_ON = False

    assert "an address can't be confirmed" in text(visitor.get("/settings"))
    assert request_change(visitor).status_code == 404
    assert not Notification.objects.exists()


def test_mails_to_new_addresses_are_limited(
    post: MailServer, visitor: Client, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"account-mail": ["owner:2/600"]}
    for n in range(2):
        assert request_change(visitor, f"{n}@new.example").status_code == 303

    response = request_change(visitor)

    assert (response.status_code, wrong(response)) == (429, {"email"})
    assert "At most 2 requests" in text(response)
    assert Notification.objects.count() == 2


def new_password(visitor: Client, **given: str) -> Any:
    form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    return visitor.post("/settings/password", form | given)


def test_a_new_password_ends_other_sessions_and_tokens(
    post: MailServer, visitor: Client, alice: User
) -> None:
    other = Client()
    other.force_login(alice)
    login = {"username": "alice", "password": PASSWORD}
    tokens = APIClient().post("/v1/auth/token", login).json()
    program = APIClient(headers={"Authorization": f"Bearer {tokens['access']}"})
    assert (other.get(JOBS).status_code, program.get(JOBS).status_code) == (200, 200)

    response = new_password(visitor)

    assert (response.status_code, response["Location"]) == (303, "/settings")
    assert "Password changed." in text(visitor.get("/settings"))  # this session stays
    assert (other.get(JOBS).status_code, program.get(JOBS).status_code) == (401, 401)
    refreshed = APIClient().post("/v1/auth/token/refresh", {"refresh": tokens["refresh"]})
    assert refreshed.status_code == 401
    assert APIClient().post("/v1/auth/token", login).status_code == 401
    login["password"] = NEW_PASSWORD
    assert APIClient().post("/v1/auth/token", login).status_code == 200
    attempt(Notification.objects.get())
    assert post.recipients == ["alice@example.com"]
    assert "The password of the account alice was changed." in text_of(post.mails[0])


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"old_password": "wrong"}, "old_password", "not your current password"),
        ({"old_password": ""}, "old_password", "required"),
        ({"new_password2": "other horse"}, "new_password2", "match"),
        ({"new_password1": "short", "new_password2": "short"}, "new_password2", "too short"),
        ({"new_password1": "", "new_password2": ""}, "new_password1", "required"),
    ],
)
def test_a_mistake_in_a_new_password_changes_nothing(
    visitor: Client, alice: User, given: dict[str, str], field: str, sentence: str
) -> None:
    response = new_password(visitor, **given)

    assert response.status_code == 400
    assert field in wrong(response)
    assert sentence in text(response)
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@pytest.mark.parametrize("attack", ["password", "email"])
def test_wrong_current_passwords_are_limited(visitor: Client, settings: Any, attack: str) -> None:
    settings.RATES = settings.RATES | {"sign-in": ["device:3/600", "account:3/600"]}

    def guess(password: str) -> Any:
        if attack == "password":
            return new_password(visitor, old_password=password)
        settings.MAIL_IS_ON = True
        return request_change(visitor, password=password)

    assert [guess("wrong").status_code for _ in range(3)] == [400] * 3
    response = guess(PASSWORD)

    assert response.status_code == 429
    assert "At most 3 requests" in text(response)
    assert User.objects.get().check_password(PASSWORD)
    assert not Notification.objects.exists()


def test_strangers_can_change_neither(alice: User) -> None:
    for path in ("/settings/email", "/settings/password"):
        assert Client().post(path)["Location"] == "/sign-in?next=/settings"
        assert Client(headers=BROWSER).get(path).status_code == 405
