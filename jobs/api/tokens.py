"""Tokens for programs: get a pair for a password, renew it, end it.

A refresh token works once: it is renewed together with the access token. Who comes with one that
was used before, or ended, has to sign in again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenViewBase

from jobs.api import contract
from jobs.authentication import Token
from jobs.request_limits import SHORT_BODY_BYTES
from jobs.serializers import StrictSerializer, Text
from jobs.throttle import SIGN_IN, signed_in

MAX_PASSWORD_CHARS = 1_000
MAX_TOKEN_CHARS = 4_000


class SignIn(StrictSerializer):
    username = Text(max_length=150)
    password = Text(max_length=MAX_PASSWORD_CHARS, trim_whitespace=False)

    def validate(self, asked: dict[str, str]) -> dict[str, str]:
        request = self.context["request"]
        user = authenticate(request, **asked)
        if not isinstance(user, User):
            raise AuthenticationFailed("No such account, or another password.", "no_active_account")
        signed_in(request, user)
        return _pair(user)


class Renewal(StrictSerializer):
    refresh = Text(max_length=MAX_TOKEN_CHARS)

    def validate(self, asked: dict[str, str]) -> dict[str, str]:
        old = RefreshToken(asked["refresh"])  # type: ignore[arg-type] # takes text too
        user = Token().get_user(old)
        with transaction.atomic():  # nobody loses the old one and gets no other
            found: Any = old.blacklist()  # the row, and whether it is new
            if not found[1]:  # somebody else was at it at the same moment
                raise InvalidToken
            return _pair(user)


class Revocation(StrictSerializer):
    refresh = Text(max_length=MAX_TOKEN_CHARS)

    def validate(self, asked: dict[str, str]) -> dict[str, str]:
        RefreshToken(asked["refresh"]).blacklist()  # type: ignore[arg-type]
        return {}


def _pair(user: Any) -> dict[str, str]:
    refresh = RefreshToken.for_user(user)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


class Obtain(TokenViewBase):
    """Sign in: an access token for 15 minutes, and a refresh token for a day."""

    serializer_class = SignIn
    max_body_bytes = SHORT_BODY_BYTES
    rate = SIGN_IN

    @contract.token(SignIn)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class Refresh(TokenViewBase):
    """Renew both tokens. The refresh token that was sent works no longer."""

    serializer_class = Renewal
    max_body_bytes = SHORT_BODY_BYTES

    @contract.token_refresh(Renewal)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class Revoke(TokenViewBase):
    """Sign out: the refresh token works no longer, the access token until its 15 minutes end."""

    serializer_class = Revocation
    max_body_bytes = SHORT_BODY_BYTES

    @contract.token_revoke(Revocation)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        super().post(request, *args, **kwargs)
        return Response(status=HTTPStatus.NO_CONTENT)
