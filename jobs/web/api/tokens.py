"""Tokens for programs: get a pair for a password, renew it, end it.

A refresh token works once: it is renewed together with the access token. One that was used before
and comes again was perhaps stolen, and nobody knows by whom it was used: it ends all that follow
from the same sign-in, so both have to sign in again.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any, Self, cast

import structlog
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenViewBase

from jobs.models import EndedTokenFamily
from jobs.web.api import contract
from jobs.web.authentication import Token
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.serializers import StrictSerializer, Text
from jobs.web.throttle import SIGN_IN, signed_in

log = structlog.get_logger(__name__)

MAX_PASSWORD_CHARS = 1_000
MAX_TOKEN_CHARS = 4_000
FAMILY = "family"  # the claim that names the first token of a sign-in; that one has none
# Two requests of an honest client may renew at the same moment, or one may be sent twice.
REUSE_GRACE = timedelta(seconds=10)


class FamilyToken(RefreshToken):
    """A refresh token that knows from which sign-in it follows."""

    no_copy_claims: Any = (*RefreshToken.no_copy_claims, FAMILY)

    @classmethod
    def following(cls, family: str, user: Any) -> Self:
        """Return the next token of the family, and store it."""
        token: Any = cls.for_user(user)
        token[FAMILY] = family
        OutstandingToken.objects.filter(jti=token["jti"]).update(token=str(token))
        return cast(Self, token)

    @property
    def family(self) -> str:
        return str(self.get(FAMILY) or self["jti"])

    def check_blacklist(self) -> None:
        """Raise TokenError for a token that was used, or whose family has ended.

        A used one that comes again after REUSE_GRACE ends its family.
        """
        used = BlacklistedToken.objects.filter(token__jti=self["jti"]).first()
        if used and timezone.now() - used.blacklisted_at > REUSE_GRACE:
            EndedTokenFamily.objects.end(self.family)
            log.warning("a used refresh token came again", user_id=self.get("user_id"))
        if used or EndedTokenFamily.objects.filter(family=self.family).exists():
            raise TokenError("Token is blacklisted")


class SignIn(StrictSerializer):
    username = Text(max_length=150)
    password = Text(max_length=MAX_PASSWORD_CHARS, trim_whitespace=False)

    def validate(self, asked: dict[str, str]) -> dict[str, str]:
        request = self.context["request"]
        user = authenticate(request, **asked)
        if not isinstance(user, User):
            raise AuthenticationFailed("No such account, or another password.", "no_active_account")
        signed_in(request, user)
        return _pair(FamilyToken.for_user(user))


class Renewal(StrictSerializer):
    refresh = Text(max_length=MAX_TOKEN_CHARS)

    def validate(self, asked: dict[str, str]) -> dict[str, str]:
        old = FamilyToken(asked["refresh"])  # type: ignore[arg-type] # takes text too
        user = Token().get_user(old)
        with transaction.atomic():  # nobody loses the old one and gets no other
            found: Any = old.blacklist()  # the row, and whether it is new
            if not found[1]:  # somebody else was at it at the same moment
                raise InvalidToken
            return _pair(FamilyToken.following(old.family, user))


class Revocation(StrictSerializer):
    refresh = Text(max_length=MAX_TOKEN_CHARS)

    def validate(self, asked: dict[str, str]) -> dict[str, str]:
        FamilyToken(asked["refresh"]).blacklist()  # type: ignore[arg-type]
        return {}


def _pair(refresh: RefreshToken) -> dict[str, str]:
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
    """Renew both tokens. The refresh token that was sent works no longer.

    Sent again later than 10 seconds after that, it ends all refresh tokens that follow from the
    same sign-in: somebody else may have it. Access tokens work until their 15 minutes end.
    """

    serializer_class = Renewal
    max_body_bytes = SHORT_BODY_BYTES

    @contract.token_refresh(Renewal)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class Revoke(TokenViewBase):
    """Sign out: the refresh token works no longer, the access token until its 15 minutes end."""

    serializer_class = Revocation
    bodiless_methods = ("POST",)
    max_body_bytes = SHORT_BODY_BYTES

    @contract.token_revoke(Revocation)
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        super().post(request, *args, **kwargs)
        return Response(status=HTTPStatus.NO_CONTENT)
