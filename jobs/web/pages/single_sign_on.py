"""Sign in and out through a provider of OpenID Connect. See docs/sign-in.md."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.contrib.auth.views import LogoutView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_safe

from jobs.lib.account_details import update_account
from jobs.models import OidcIdentity
from jobs.web.oidc import (
    ID_TOKEN,
    SignInFailed,
    account_details_in,
    finish_oidc,
    oidc_sign_out_url,
    start_oidc,
    username_in,
)
from jobs.web.pages.rendering import SeeOther
from jobs.web.throttle import throttle_request

UNFINISHED_SECONDS = 3600  # that a session lives until its sign-in is finished
NEXT = "oidc_next"  # in the session: where to go afterwards


@require_safe
def sign_in_with_provider(request: HttpRequest) -> HttpResponse:
    """Redirect to the provider."""
    _require_provider(request)
    try:
        response = start_oidc(request, request.build_absolute_uri(reverse("oidc-callback")))
    except SignInFailed as error:
        return _back_to_sign_in(request, str(error))
    request.session[NEXT] = request.GET.get("next", "")
    if not request.user.is_authenticated:  # it has a row, and whoever asks gets one
        request.session.set_expiry(UNFINISHED_SECONDS)
    return response


@require_safe
def finish_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in who the provider sent back, or return to the sign-in page with a sentence."""
    _require_provider(request)
    try:
        claims = finish_oidc(request)
        user = _account(claims)
    except SignInFailed as error:
        return _back_to_sign_in(request, str(error))
    kept = {name: request.session.get(name, "") for name in (NEXT, ID_TOKEN)}
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.set_expiry(None)  # as of other sign-ins
    request.session[ID_TOKEN] = kept[ID_TOKEN]
    request.session.pop(NEXT, None)
    url = kept[NEXT]
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
    return SeeOther(url if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL))


def _account(claims: dict[str, Any]) -> User:
    """Return the account that signs in, updated. Raises SignInFailed."""
    try:
        user = OidcIdentity.objects.account(
            issuer=settings.OIDC_ISSUER, subject=claims["sub"], username=username_in(claims)
        )
    except ValidationError as error:
        sentence = "Your username can't be used here. Contact your administrator."
        raise SignInFailed(sentence) from error
    if not user.is_active:
        raise SignInFailed("This account is disabled.")
    update_account(user, account_details_in(claims))
    return user


def _require_provider(request: HttpRequest) -> None:
    """Count the request. Raises Http404 without a provider in the settings."""
    throttle_request(request, "search")  # slower than pages: a new session is a row
    if not settings.OIDC_ISSUER:
        raise Http404


def _back_to_sign_in(request: HttpRequest, sentence: str) -> HttpResponse:
    messages.error(request, sentence)
    return SeeOther(reverse("sign-in"))


class SignOut(LogoutView):
    """Sign out, and also at the provider, if the session began there."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        id_token = request.session.get(ID_TOKEN, "")
        response: HttpResponse = super().post(request, *args, **kwargs)
        if not id_token or not settings.OIDC_ISSUER:
            return response
        back = request.build_absolute_uri(reverse("sign-in"))
        url = oidc_sign_out_url(id_token, back)
        return HttpResponseRedirect(url) if url else response
