"""Authentication: by a password, an access token, a browser's session, or a gateway's header."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.forms import TextInput
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BaseAuthentication, CSRFCheck, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from jobs.lib.account_details import AccountDetails, update_account
from jobs.lib.accounts import account_named, username_field
from jobs.lib.addresses import is_address_in, parse_address, parse_address_networks
from jobs.web.problems import Problem
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.throttle import throttle_sign_in, unthrottle_sign_in

CHALLENGE = 'Bearer realm="api"'


class AccountField(UsernameField):
    """Cuts a name that is too long when the form shows it again."""

    def bound_data(self, data: Any, initial: Any) -> str:
        return str(super().bound_data(data, initial) or "")[: self.max_length]


class SignInForm(AuthenticationForm):
    """Counts each attempt: see `throttle_sign_in`.

    Without Redis the page comes with status 503 beyond a few attempts: see ResponseMiddleware.
    """

    request: HttpRequest
    username = AccountField(widget=TextInput(attrs={"autofocus": True}))

    def clean(self) -> dict[str, Any]:
        try:
            throttle_sign_in(self.request, self.cleaned_data.get("username", ""))
        except Problem as error:
            if error.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            self.request.sign_in_problem = error  # type: ignore[attr-defined]
            raise ValidationError(str(error.detail), "sign_in_closed") from error
        cleaned = super().clean()
        if isinstance(user := self.get_user(), get_user_model()):
            unthrottle_sign_in(self.request, user)
        return cleaned


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The sign-in form of the admin."""


class SignInPage(LoginView):
    template_name = "sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]  # Django's has PUT
    max_body_bytes = SHORT_BODY_BYTES

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = {"mail_is_on": settings.MAIL_IS_ON}
        context["has_accounts"] = _are_there_accounts()
        if settings.OIDC_ISSUER:
            context["provider"] = settings.OIDC_NAME
        return super().get_context_data(**kwargs) | context


def _are_there_accounts() -> bool:
    """Return False if somebody has to create the first one. The page needs no database."""
    try:
        return get_user_model()._default_manager.exists()
    except DatabaseError:
        return True


class TokenAuthentication(JWTAuthentication):
    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return the token. The scheme `Bearer` ignores case (RFC 9110 11.1)."""
        scheme, *rest = header.split(maxsplit=1) or [b""]
        return super().get_raw_token(b" ".join([scheme.capitalize(), *rest]))

    def get_user(self, token: Any) -> Any:
        try:
            return super().get_user(token)
        except (TypeError, ValueError) as error:  # signed with our key, but for another service
            raise AuthenticationFailed(
                "The token does not name a user.", "user_not_found"
            ) from error


class CookieAuthentication(SessionAuthentication):
    def enforce_csrf(self, request: Request) -> None:
        # Django's request, which does not read the body of a streamed upload for the token.
        http_request = getattr(request, "_request", request)
        try:
            super().enforce_csrf(http_request)
        except PermissionDenied as error:
            sentence = "Send the CSRF token of your session in the X-CSRFToken header."
            raise Problem(HTTPStatus.FORBIDDEN, "csrf", sentence) from error


def check_csrf_token(request: HttpRequest, token: str) -> None:
    """Check the CSRF token from a field of a MultipartForm, or else from the header.

    Raises Problem 403 if it is wrong. Reads nothing of the body.
    """
    request.read(0)  # or Django would parse the body for the field
    if token:
        request.META[settings.CSRF_HEADER_NAME] = token
    CookieAuthentication().enforce_csrf(cast(Request, request))


class GatewayAuthentication(BaseAuthentication):
    """The user that a gateway named, as GatewayMiddleware found."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        user = getattr(request._request, "gateway_user", None)
        if user and request.method not in SAFE_METHODS:
            _check_origin(request)
        return (user, None) if user else None

    def authenticate_header(self, _request: Request) -> str:
        return CHALLENGE  # this class comes first, so every 401 has its challenge


def _check_origin(request: Request) -> None:
    """Reject forms of other sites: the gateway may authenticate a browser by a cookie."""
    check: Any = CSRFCheck(lambda _: HttpResponse())
    if "Origin" in request.headers and not check._origin_verified(request._request):
        raise Problem(HTTPStatus.FORBIDDEN, "csrf", "This request came from another site.")


def gateway_user(request: HttpRequest) -> User | None:
    """Return the user in the gateway's header; None without the header. Creates new users.

    Updates the account from the gateway's other headers. One that is missing changes nothing.
    Raises AuthenticationFailed if the header is not from the gateway, or names no valid user.
    """
    header = settings.GATEWAY_USER_HEADER
    name = request.headers.get(header) if header else None
    if name is None:
        return None
    peer = parse_address(request.META.get("REMOTE_ADDR", ""))
    if peer is None or not is_address_in(peer, parse_address_networks(settings.GATEWAY_ADDRESSES)):
        raise AuthenticationFailed(
            f"{header} is accepted only from the gateway.", "untrusted_gateway"
        )
    user = account_named(name) or _create_user(name)
    if not user.is_active:
        raise AuthenticationFailed("This account is disabled.", "user_inactive")
    update_account(user, _gateway_details(request))
    return user


def _gateway_details(request: HttpRequest) -> AccountDetails:
    def value(header: str) -> str | None:
        return request.headers.get(header) if header else None

    groups = value(settings.GATEWAY_GROUPS_HEADER)
    names = None if groups is None else frozenset(name.strip() for name in groups.split(","))
    return AccountDetails(email=value(settings.GATEWAY_EMAIL_HEADER) or "", groups=names)


def _create_user(name: str) -> User:
    model, named = get_user_model(), {username_field(): name}
    user = model(**named)
    user.set_unusable_password()
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise AuthenticationFailed("The gateway did not name a user.", "bad_username") from error
    found: tuple[User, Any] = model._default_manager.get_or_create(
        **named, defaults={"password": user.password}
    )
    return found[0]


def authenticated_user(request: Request | HttpRequest) -> User:
    """Return the user. The permission class or `sign_in_required` made sure that there is one."""
    return cast(User, request.user)
