"""Who is asking: by a password, by a token, by a browser's session, by a gateway."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.forms import TextInput
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BaseAuthentication, CSRFCheck, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from jobs.lib.addresses import address, is_in, networks
from jobs.web.problems import Problem
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.throttle import limit_sign_in, signed_in

CHALLENGE = 'Bearer realm="api"'


class AccountField(UsernameField):
    """Shows no more of a name that is too long than a name may have."""

    def bound_data(self, data: Any, initial: Any) -> str:
        return str(super().bound_data(data, initial) or "")[: self.max_length]


class SignInForm(AuthenticationForm):
    """Each attempt is counted: see `limit_sign_in`."""

    request: HttpRequest
    username = AccountField(widget=TextInput(attrs={"autofocus": True}))

    def clean(self) -> dict[str, Any]:
        limit_sign_in(self.request, self.cleaned_data.get("username", ""))
        cleaned = super().clean()
        if isinstance(user := self.get_user(), User):
            signed_in(self.request, user)
        return cleaned


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The same for the admin's own page."""


class SignInPage(LoginView):
    template_name = "sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]  # Django's has PUT
    max_body_bytes = SHORT_BODY_BYTES


class Token(JWTAuthentication):
    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return the token of `Bearer`, in whatever case (RFC 9110 11.1)."""
        scheme, *rest = header.split(maxsplit=1) or [b""]
        return super().get_raw_token(b" ".join([scheme.capitalize(), *rest]))

    def get_user(self, token: Any) -> Any:
        try:
            return super().get_user(token)
        except (TypeError, ValueError) as error:  # signed with our key, and not for us
            raise AuthenticationFailed("The token names nobody.", "user_not_found") from error


class Session(SessionAuthentication):
    def enforce_csrf(self, request: Request) -> None:
        # Django's own, which looks for no token in a body that somebody else reads.
        http_request = getattr(request, "_request", request)
        try:
            super().enforce_csrf(http_request)
        except PermissionDenied as error:
            sentence = "Send the CSRF token of your session as the header X-CSRFToken."
            raise Problem(HTTPStatus.FORBIDDEN, "csrf", sentence) from error


def check_form_token(request: HttpRequest, token: str) -> None:
    """Check a session's form token that came as a field, for a body that a Form reads.

    Raises the Problem 403 where neither it nor the header's is right; reads nothing.
    """
    request.read(0)  # or Django parses the body in search of the field
    if token:
        request.META[settings.CSRF_HEADER_NAME] = token
    Session().enforce_csrf(cast(Request, request))


class Gateway(BaseAuthentication):
    """The user whom a gateway named; GatewayMiddleware found out who that is."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        user = getattr(request._request, "gateway_user", None)
        if user and request.method not in SAFE_METHODS:
            _refuse_other_sites(request)
        return (user, None) if user else None

    def authenticate_header(self, _request: Request) -> str:
        return CHALLENGE  # it comes first, so this is what every 401 says


def _refuse_other_sites(request: Request) -> None:
    """A gateway may know a browser by its cookie, which other sites' forms carry too."""
    check: Any = CSRFCheck(lambda _: HttpResponse())
    if "Origin" in request.headers and not check._origin_verified(request._request):
        raise Problem(HTTPStatus.FORBIDDEN, "csrf", "This request comes from another site.")


def gateway_user(request: HttpRequest) -> User | None:
    """Whom the gateway names in its header, where one is set up: made when first seen.

    Raises AuthenticationFailed where somebody else sent the header, or where it names nobody.
    """
    header = settings.GATEWAY_USER_HEADER
    name = request.headers.get(header) if header else None
    if name is None:
        return None
    peer = address(request.META.get("REMOTE_ADDR", ""))
    if peer is None or not is_in(peer, networks(settings.GATEWAY_ADDRESSES)):
        raise AuthenticationFailed(f"{header} is only taken from the gateway.", "untrusted_gateway")
    user = User.objects.filter(username=name).first() or _made(name)
    if not user.is_active:
        raise AuthenticationFailed("This account is closed.", "user_inactive")
    return user


def _made(name: str) -> User:
    user = User(username=name)
    user.set_unusable_password()
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise AuthenticationFailed("The gateway named nobody.", "bad_username") from error
    found: tuple[User, Any] = User.objects.get_or_create(
        username=name, defaults={"password": user.password}
    )
    return found[0]
