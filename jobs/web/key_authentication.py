"""Authentication by an API key, and the scope that each address needs.

The native endpoints check keys themselves: asgi/key_statements.py.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from jobs.models import ApiKey, KeyScope
from jobs.models.api_key import KEY, MARK, key_digest
from jobs.web.authentication import CHALLENGE
from jobs.web.key_uses import KEY_USES
from jobs.web.problems import Problem

NOT_ACCEPTED = "API keys are not accepted here. Use an access token or a session."


def required_scope(view: Any, method: str) -> KeyScope | None:
    """Return the scope that a key needs for a method of a view; None if keys are not accepted.

    A view names another scope than the usual one with `key_scope`, for all of its methods.
    """
    usual = KeyScope.READ if method in SAFE_METHODS else KeyScope.START
    scope: KeyScope | None = getattr(view, "key_scope", usual)
    return scope


class KeyAuthentication(BaseAuthentication):
    """The owner of an API key, sent as a bearer token.

    The scope is checked here rather than by a permission class, so that no view can forget it.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        scheme, *rest = get_authorization_header(request).split() or [b""]
        text = b" ".join(rest).decode("latin-1")
        if scheme.lower() != b"bearer" or not text.startswith(MARK):
            return None
        key = _valid_key(text)
        structlog.contextvars.bind_contextvars(api_key=key.prefix)
        view = (request.parser_context or {}).get("view")
        _check_scope(key, required_scope(view, request.method or ""))
        KEY_USES.record(key.digest)
        return _with_rights_of(key), key

    def authenticate_header(self, _request: Request) -> str:
        return CHALLENGE


def _valid_key(text: str) -> ApiKey:
    """Return the key. Raises AuthenticationFailed."""
    key = None
    if KEY.fullmatch(text):
        key = ApiKey.objects.select_related("owner").filter(digest=key_digest(text)).first()
    if key is None:
        raise AuthenticationFailed("There is no such API key.", "key_not_valid")
    if key.revoked_at:
        raise AuthenticationFailed("The API key was revoked.", "key_not_valid")
    if key.is_expired:
        raise AuthenticationFailed("The API key has expired.", "key_not_valid")
    if not key.owner.is_active:
        raise AuthenticationFailed("This account is disabled.", "user_inactive")
    return key


def _check_scope(key: ApiKey, scope: KeyScope | None) -> None:
    """Raise Problem 403, with the challenge of RFC 6750 if a scope is missing."""
    if scope is None:
        raise Problem(HTTPStatus.FORBIDDEN, "key_not_accepted", NOT_ACCEPTED)
    if scope not in key.scopes:
        headers = {"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'}
        sentence = f"This needs an API key with the scope {scope}."
        raise Problem(HTTPStatus.FORBIDDEN, "insufficient_scope", sentence, headers)


def _with_rights_of(key: ApiKey) -> User:
    """Return the owner, who is staff only with the scope `admin`. The user must not be saved."""
    owner: User = key.owner
    if KeyScope.ADMIN not in key.scopes:
        owner.is_staff = owner.is_superuser = False
    return owner


def request_key(request: Request | HttpRequest) -> ApiKey | None:
    """Return the API key that the request was authenticated by."""
    key = getattr(request, "auth", None)
    return key if isinstance(key, ApiKey) else None
