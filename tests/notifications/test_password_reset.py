"""A forgotten password is reset by a mailed link. Nobody learns which accounts there are."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.models import Notification
from tests.factories import UserFactory
from tests.notifications.outbox import SITE, attempt
from tests.notifications.smtp import MailServer
from tests.notifications.test_mail import html_of, text_of
from tests.pages.looks import BROWSER, text
from tests.pages.test_link import wrong

pytestmark = pytest.mark.django_db(transaction=True)

NEW_PASSWORD = "a different horse"
NEW = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
ADDRESS = "alice@example.com"


def request_reset(email: str = ADDRESS) -> Any:
    return Client(headers=BROWSER).post("/password-reset", {"email": email})


def mailed_link(post: MailServer) -> str:
    """Send the waiting mail, and return the path and query of its link."""
    attempt(Notification.objects.get(state="waiting"))
    found = re.search(rf"{SITE}(/\S+)", text_of(post.mails[-1]))
    assert found
    return found[1]


def test_a_mailed_link_gives_a_new_password_once(post: MailServer, alice: User) -> None:
    session = Client()
    session.force_login(alice)
    assert "/password-reset" in text(Client(headers=BROWSER).get("/sign-in"))

    assert request_reset()["Location"] == "/password-reset/sent"

    link = mailed_link(post)
    assert post.recipients == [ADDRESS]
    assert "your account alice" in html_of(post.mails[0])
    browser = Client(headers=BROWSER)
    form = browser.get(link, follow=True)
    url, _ = form.redirect_chain[-1]
    assert "?" not in url  # the token is not in the address bar, or in a Referer
    response = browser.post(url, NEW, follow=True)
    assert "Password changed. Sign in with the new one." in text(response)
    alice.refresh_from_db()
    assert alice.check_password(NEW_PASSWORD)
    assert session.get("/v1/download/jobs").status_code == 401
    for again in (link, url):
        assert "This link no longer works" in text(browser.get(again, follow=True))
    attempt(Notification.objects.get(state="waiting"))
    assert post.mails[-1]["Subject"] == "Your password was changed"


def test_the_response_and_its_work_are_the_same_for_unknown_addresses(
    post: MailServer, alice: User
) -> None:
    done = []
    for email in (ADDRESS, "nobody@example.com"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = request_reset(email)
        statements = [re.sub(r"'[^']*'", "?", each["sql"]) for each in queries]
        done.append((response.status_code, response["Location"], response.content, statements))

    assert done[0] == done[1]
    assert Notification.objects.count() == 2


@pytest.mark.parametrize("change", ["unknown", "disabled", "no password"])
def test_nobody_else_is_mailed(post: MailServer, alice: User, change: str) -> None:
    if change == "no password":  # as accounts of a gateway, or of a provider
        alice.set_unusable_password()
    alice.is_active = change != "disabled"
    alice.email = "other@example.com" if change == "unknown" else ADDRESS
    alice.save()
    request_reset()

    row = attempt(Notification.objects.get())

    assert (row.state, post.mails) == ("failed", [])
    assert row.error == "No active account with a password has this address."


def test_a_mail_goes_to_the_address_of_the_account(post: MailServer, alice: User) -> None:
    UserFactory(username="twin", email="ALICE@example.com")
    UserFactory(username="mallory", email="al\u0131ce@example.com")  # folds to the same letters

    request_reset("Alice@Example.com")
    attempt(Notification.objects.get())

    assert sorted(post.recipients) == ["ALICE@example.com", ADDRESS]
    said = [text_of(mail) for mail in post.mails]
    assert ["account alice." in each for each in said].count(True) == 1
    assert ["account twin." in each for each in said].count(True) == 1


def test_the_table_of_notifications_has_no_link(post: MailServer, alice: User) -> None:
    request_reset()

    mailed_link(post)

    row = Notification.objects.get()
    assert (row.content, row.owner) == ({"notice": "password_reset"}, None)


@pytest.mark.parametrize("change", ["password", "email", "sign-in", "time"])
def test_a_link_ends_with_what_it_was_for(post: MailServer, alice: User, change: str) -> None:
    request_reset()
    link = mailed_link(post)
    if change == "password":
        alice.set_password("by an operator")
    elif change == "email":
        alice.email = "new@example.com"
    alice.save()
    if change == "sign-in":
        Client().post("/sign-in", {"username": "alice", "password": "correct horse"})
    browser = Client(headers=BROWSER)

    later = 3601 if change == "time" else 0
    now = PasswordResetTokenGenerator._now

    def shifted(self: Any) -> Any:
        from datetime import timedelta

        return now(self) + timedelta(seconds=later)

    with patch.object(PasswordResetTokenGenerator, "_now", shifted):
        response = browser.get(link, follow=True)

    assert "This link no longer works" in text(response)


@pytest.mark.parametrize("path", ["MQ?token=x", "MQ", "x?token=x-y", "_-_?token=a"])
def test_forged_links_do_not_work(alice: User, path: str) -> None:
    response = Client(headers=BROWSER).get(f"/password-reset/{path}", follow=True)

    assert "This link no longer works" in text(response)
    Client().post(f"/password-reset/{path}", NEW)
    assert User.objects.get().check_password("correct horse")


def test_a_weak_password_is_refused(post: MailServer, alice: User) -> None:
    request_reset()
    browser = Client(headers=BROWSER)
    url, _ = browser.get(mailed_link(post), follow=True).redirect_chain[-1]

    response = browser.post(url, {"new_password1": "short", "new_password2": "short"})

    assert wrong(response) == {"new_password2"}
    assert browser.post(url, NEW)["Location"] == "/sign-in"


@pytest.mark.parametrize("email", ["", "a@b", "x" * 250 + "@example.com", "a@b.org\nc@d.org"])
def test_an_invalid_address_is_an_error(post: MailServer, alice: User, email: str) -> None:
    response = request_reset(email)

    assert (response.status_code, wrong(response)) == (400, {"email"})
    assert not Notification.objects.exists()


@pytest.mark.parametrize("email", [ADDRESS, "nobody@example.com"])
def test_requests_for_an_address_are_limited(
    post: MailServer, alice: User, settings: Any, email: str
) -> None:
    settings.RATES = settings.RATES | {"account-mail": ["account:2/600"]}
    for each in (email, email.upper()):
        assert request_reset(each).status_code == 302

    response = request_reset(email)

    assert (response.status_code, wrong(response)) == (429, {"email"})
    assert Notification.objects.count() == 2


def test_without_mail_there_is_no_reset(alice: User, settings: Any) -> None:
    settings.MAIL_IS_ON = False
    client = Client(headers=BROWSER)

    assert "/password-reset" not in text(client.get("/sign-in"))
    assert client.get("/password-reset").status_code == 404
    assert client.get("/password-reset/sent").status_code == 404
    assert request_reset().status_code == 404
    assert not Notification.objects.exists()
