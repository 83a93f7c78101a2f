"""Mails about an account. Their links are made when they are sent: a row of the outbox has none.

A request to reset a password has a row, too, whether an account has the address or not: that is
looked up here, so that whoever requested it cannot tell from the response, or from its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from django.contrib.auth.forms import PasswordResetForm

from jobs.errors import Undelivered
from jobs.models import AccountNotice, Notification, Preferences
from jobs.notifications.account_links import confirm_email_link, new_password_link
from jobs.notifications.letters import Letter, render_letter
from jobs.notifications.mail import send_letter

OUTDATED = "The account no longer waits for this address to be confirmed."
NOBODY = "No active account with a password has this address."
MAX_ACCOUNTS = 10  # of one address
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
    if notice == AccountNotice.PASSWORD_RESET:
        _send_password_resets(notification)
        return
    letter = LETTERS[notice](notification)
    send_letter(letter.render(notice), notification.to, notification.pk)


def _send_password_resets(notification: Notification) -> None:
    """Send one mail to each account, at the address that it has.

    That may differ from the one in the request in upper and lower case. Accounts that sign in
    through a provider or a gateway have no password to reset.
    """
    accounts = list(islice(PasswordResetForm().get_users(notification.to), MAX_ACCOUNTS))
    if not accounts:
        raise Undelivered(NOBODY, for_good=True)
    for account in accounts:
        letter = AccountLetter(
            [
                f"Somebody asked to reset the password of your account {account.get_username()}.",
                "The link works for one hour, and once.",
            ],
            "If you did not ask for this, ignore this email: your password stays the same.",
            new_password_link(account),
            "Choose a new password",
        )
        rendered = letter.render(AccountNotice.PASSWORD_RESET)
        send_letter(rendered, account.email, f"{notification.pk}.{account.pk}")


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
