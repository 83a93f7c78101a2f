"""Authenticate callers by a token, which is verified once, an API key, or a browser's session.

The account is checked with every request: `Caller.is_still_valid`. So is a key, in the same
statement: key_statements.py.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache
from importlib import import_module
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import get_user, get_user_model
from django.http import HttpRequest, parse_cookie
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from jobs.lib.database import release_database_connection
from jobs.models.api_key import KEY, MARK, key_digest

MAX_HEADER_BYTES = 2_000  # ours have 350; longer ones are not cached
SESSION_SECONDS = 300  # before a session is checked again


class Caller(NamedTuple):
    """An account, as it was when the token was issued or the session was read.

    Or an API key. Its owner is not known before its first job is read: then `user_id` is 0.
    """

    user_id: int
    password_digest: str  # a new password invalidates the token
    expires_at: float  # Unix time
    key: str = ""  # the digest of an API key

    def is_still_valid(self, *, is_active: bool, password: str) -> bool:
        """Return True if the account is active and has the same password, unless it is a key's."""
        if self.key:
            return is_active
        return is_active and password_digest(password) == self.password_digest

    def owned_by(self, user_id: int) -> Caller:
        """Return the caller with the owner of its key."""
        return self._replace(user_id=user_id) if self.key else self


def caller_of_token(authorization: bytes) -> Caller | None:
    """Return the caller of an Authorization header; None without a valid access token, or a key."""
    if len(authorization) > MAX_HEADER_BYTES:
        return None
    caller = _verified(authorization)
    return caller if caller and time.time() < caller.expires_at else None


@lru_cache(maxsize=10_000)
def _verified(authorization: bytes) -> Caller | None:
    scheme, _, raw = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not raw.isascii():
        return None
    if raw.startswith(MARK.encode()):
        return _caller_of_key(raw.decode())
    try:
        token = AccessToken(raw.decode())  # type: ignore[arg-type] # as the library's view does
        return Caller(
            user_id=int(token[api_settings.USER_ID_CLAIM]),
            password_digest=str(token[api_settings.REVOKE_TOKEN_CLAIM]),
            expires_at=float(token["exp"]),
        )
    except (TokenError, KeyError, TypeError, ValueError):
        return None


def _caller_of_key(key: str) -> Caller | None:
    """Return the caller of what may be a key: only the database knows whether it is one."""
    return Caller(0, "", math.inf, key_digest(key)) if KEY.fullmatch(key) else None


password_digest = lru_cache(maxsize=10_000)(get_md5_hash_password)


def caller_of_session(cookie: bytes) -> Caller | None:
    """Return the caller of a Cookie header; None without a session.

    Queries the database, so call it in a thread.
    """
    request = HttpRequest()
    key = parse_cookie(cookie.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    try:
        user = get_user(request)
    finally:
        release_database_connection()
    if not isinstance(user, get_user_model()):
        return None
    return Caller(user.pk, password_digest(user.password), time.time() + SESSION_SECONDS)
