"""Tokens for programs: obtain a pair for a password, refresh it, revoke it.

A refresh token can be used once; refreshing replaces both tokens. If a used one is sent again, it
may be stolen, by either sender: all tokens of the same sign-in are revoked, and both sign in again.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any, Self, cast

import structlog
from django.contrib.auth import authenticate, get_user_model
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenViewBase

from jobs.models import EndedTokenFamily
from jobs.web.authentication import TokenAuthentication
from jobs.web.openapi.decorators import describes
from jobs.web.openapi.schema import WITH_A_TOKEN
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.serializers import StrictSerializer, TextField
from jobs.web.throttle import SIGN_IN, unthrottle_sign_in

log = structlog.get_logger(__name__)

MAX_PASSWORD_CHARS = 1_000
MAX_TOKEN_CHARS = 4_000
FAMILY = "family"  # the claim with the first token of a sign-in, which has none itself
# A client may refresh twice at the same moment, or repeat a request.
REUSE_GRACE = timedelta(seconds=10)


class FamilyToken(RefreshToken):
    """A refresh token with a claim for the sign-in that it belongs to."""

    no_copy_claims: Any = (*RefreshToken.no_copy_claims, FAMILY)

    @classmethod
    def following(cls, family: str, user: Any) -> Self:
        """Create, store and return the next token of the family."""
        token: Any = cls.for_user(user)
        token[FAMILY] = family
        OutstandingToken.objects.filter(jti=token["jti"]).update(token=str(token))
        return cast(Self, token)

    @property
    def family(self) -> str:
        return str(self.get(FAMILY) or self["jti"])

    def check_blacklist(self) -> None:
        """Raise TokenError for a token that was used, or whose family was revoked.

        Revokes the family if the token was used more than REUSE_GRACE ago.
        """
        used = BlacklistedToken.objects.filter(token__jti=self["jti"]).first()
        if used and timezone.now() - used.blacklisted_at > REUSE_GRACE:
            EndedTokenFamily.objects.end(self.family)
            log.warning("a used refresh token came again", user_id=self.get("user_id"))
        if used or EndedTokenFamily.objects.filter(family=self.family).exists():
            raise TokenError("Token is blacklisted")


class SignIn(StrictSerializer):
    username = TextField(max_length=150)
    password = TextField(max_length=MAX_PASSWORD_CHARS, trim_whitespace=False)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        request = self.context["request"]
        user = authenticate(request, **attrs)
        if not isinstance(user, get_user_model()):
            raise AuthenticationFailed("Wrong username or password.", "no_active_account")
        unthrottle_sign_in(request, user)
        return _pair(FamilyToken.for_user(user))


class Renewal(StrictSerializer):
    refresh = TextField(max_length=MAX_TOKEN_CHARS)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        old = FamilyToken(attrs["refresh"])  # type: ignore[arg-type] # takes text too
        user = TokenAuthentication().get_user(old)
        with transaction.atomic():  # so that the old token is only used up if there is a new one
            blacklisted: Any = old.blacklist()  # the row, and whether it is new
            if not blacklisted[1]:  # another request used it at the same moment
                raise InvalidToken
            return _pair(FamilyToken.following(old.family, user))


class Revocation(StrictSerializer):
    refresh = TextField(max_length=MAX_TOKEN_CHARS)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        FamilyToken(attrs["refresh"]).blacklist()  # type: ignore[arg-type]
        return {}


class TokenPair(serializers.Serializer[Any]):
    """An access token for 15 minutes, and a refresh token that can be used once."""

    access = serializers.CharField()
    refresh = serializers.CharField()


def _pair(refresh: RefreshToken) -> dict[str, str]:
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


class Obtain(TokenViewBase):
    """Sign in: get an access token for 15 minutes, and a refresh token for a day."""

    serializer_class = SignIn
    max_body_bytes = SHORT_BODY_BYTES
    rate = SIGN_IN

    @describes(
        "token", {200: TokenPair}, request=SignIn, problems=["no_active_account", "sign_in_closed"]
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class Refresh(TokenViewBase):
    """Refresh both tokens. The refresh token can be used once.

    If it is sent again after more than 10 seconds, it may be stolen: all refresh tokens of the same
    sign-in are revoked. Access tokens remain valid until they expire.
    """

    serializer_class = Renewal
    max_body_bytes = SHORT_BODY_BYTES

    @describes("token_refresh", {200: TokenPair}, request=Renewal, problems=WITH_A_TOKEN)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class Revoke(TokenViewBase):
    """Revoke a refresh token. The access token remains valid until it expires."""

    serializer_class = Revocation
    bodiless_methods = ("POST",)
    max_body_bytes = SHORT_BODY_BYTES

    @describes("token_revoke", {204: "Revoked."}, request=Revocation, problems=["token_not_valid"])
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        super().post(request, *args, **kwargs)
        return Response(status=HTTPStatus.NO_CONTENT)
