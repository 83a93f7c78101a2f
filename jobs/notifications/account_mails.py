"""Mails about an account. Their links are made when they are sent: a row of the outbox has none."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.errors import Undelivered
from jobs.models import AccountNotice, Notification, Preferences
from jobs.notifications.account_links import confirm_email_link
from jobs.notifications.letters import Letter, render_letter
from jobs.notifications.mail import send_letter

OUTDATED = "The account no longer waits for this address to be confirmed."
NOT_YOU = "If this was not you, contact your administrator."


@dataclass(frozen=True)
class AccountLetter:
    """The parts of a mail about an account. Without a link it has no button."""

    sentences: list[str]
    why: str
    link: str = ""
    button: str = ""

    def render(self, notice: AccountNotice) -> Letter:
        title = str(notice.label)
        return render_letter("account", title, title=title, letter=self)


def send_account_mail(notification: Notification) -> None:
    """Send a mail about an account. Raises Undelivered."""
    notice = AccountNotice(notification.content["notice"])
    letter = LETTERS[notice](notification)
    send_letter(letter.render(notice), notification.to, notification.pk)


def _confirm_email(notification: Notification) -> AccountLetter:
    owner = notification.owner
    if not owner or Preferences.of(owner).unconfirmed_email != notification.to:
        raise Undelivered(OUTDATED, for_good=True)
    return AccountLetter(
        [
            f"The account {owner.get_username()} wants to receive its email at this address.",
            "The link works for one day.",
        ],
        "If you did not ask for this, ignore this email: nothing changes.",
        confirm_email_link(owner, notification.to),
        "Confirm address",
    )


def _email_changed(notification: Notification) -> AccountLetter:
    new = notification.content["email"]
    return AccountLetter(
        [f"The account {_username(notification)} now receives its email at {new}."], NOT_YOU
    )


def _password_changed(notification: Notification) -> AccountLetter:
    return AccountLetter(
        [
            f"The password of the account {_username(notification)} was changed.",
            "All other sessions and tokens were ended.",
        ],
        NOT_YOU,
    )


def _username(notification: Notification) -> str:
    return notification.owner.get_username() if notification.owner else ""


LETTERS = {
    AccountNotice.CONFIRM_EMAIL: _confirm_email,
    AccountNotice.EMAIL_CHANGED: _email_changed,
    AccountNotice.PASSWORD_CHANGED: _password_changed,
}
