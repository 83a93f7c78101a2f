"""Links in mails about an account. They are signed, so that the database has none that work."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from jobs.models import email_digest
from jobs.notifications.letters import page_address

SALT = "jobs.confirm-email"
CONFIRM_EMAIL_AGE = timedelta(days=1)


class EmailConfirmation(NamedTuple):
    """Who changes which address into which, as the link says."""

    owner_id: int
    old_digest: str
    new: str


def confirm_email_link(owner: User, email: str) -> str:
    """Return the link for the new address. A query, because access logs have none."""
    token = signing.dumps(EmailConfirmation(owner.pk, email_digest(owner.email), email), salt=SALT)
    return page_address("confirm-email") + "?" + urlencode({"token": token})


def new_password_link(user: User) -> str:
    """Return the link to choose a new password. It works once, and for PASSWORD_RESET_TIMEOUT."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    return page_address("new-password", uid) + "?" + urlencode({"token": token})


def read_email_confirmation(token: str) -> EmailConfirmation | None:
    """Return what a token of the link says; None if it is forged or older than a day."""
    try:
        return EmailConfirmation(*signing.loads(token, salt=SALT, max_age=CONFIRM_EMAIL_AGE))
    except signing.BadSignature:
        return None
