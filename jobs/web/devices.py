"""Devices that signed in before: wrong passwords of others do not lock them out.

A signed cookie has the id of the device and the accounts that it signed in to. It does not
authenticate: it makes sign-ins count for the device instead of for its address and the account. A
new password of the account invalidates it.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from jobs.lib.accounts import account_named

COOKIE = "known_device"
SALT = "jobs.devices"
COOKIE_AGE = timedelta(days=180)  # since its last sign-in
MAX_ACCOUNTS = 5  # of a device, the most recent: a cookie has little room
MARK_CHARS = 32


class SignedIn(NamedTuple):
    """A sign-in of a device to an account."""

    user_id: int
    device: str  # a random id
    mark: str  # a hash of the password at that time


def known_device(request: HttpRequest, username: str) -> str:
    """Return the id of the device if it signed in to this account before, else an empty string.

    The name is case-sensitive: `ALICE` and `alice` may be different accounts.
    """
    if not (entries := _entries(request)):
        return ""
    user = account_named(username)
    for entry in entries:
        if user and entry.user_id == user.pk and constant_time_compare(entry.mark, _mark(user)):
            return entry.device
    return ""


def remember_device(request: HttpRequest, user: User) -> None:
    """Add a cookie to the response that marks the device as known for this account."""
    others = [entry for entry in _entries(request) if entry.user_id != user.pk]
    entries = [SignedIn(user.pk, secrets.token_urlsafe(9), _mark(user)), *others][:MAX_ACCOUNTS]
    request.known_device = signing.dumps(entries, salt=SALT)  # type: ignore[attr-defined]


def set_device_cookie(request: HttpRequest, response: HttpResponse) -> None:
    if value := getattr(request, "known_device", ""):
        response.set_cookie(
            COOKIE,
            value,
            max_age=COOKIE_AGE,
            secure=bool(settings.SESSION_COOKIE_SECURE),
            httponly=True,
            samesite="Lax",
        )


def _entries(request: HttpRequest) -> list[SignedIn]:
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=COOKIE_AGE)
    except signing.BadSignature:
        return []
    return [SignedIn(*entry) for entry in found]


def _mark(user: User) -> str:
    return str(user.get_session_auth_hash())[:MARK_CHARS]
