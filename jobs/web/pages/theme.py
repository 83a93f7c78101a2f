"""The theme: light, dark or the device's. A cookie keeps it, so that pages render in it at once."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from jobs.web.pages.access import sign_in_required
from jobs.web.pages.rendering import SeeOther

COOKIE = "theme"  # base.html reads it
THEMES = ("auto", "light", "dark")
COOKIE_AGE = timedelta(days=365)


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=[(name, name) for name in THEMES])


@require_POST
@sign_in_required
def change_theme(request: HttpRequest) -> HttpResponse:
    """Save the theme in a cookie, and redirect back to the page."""
    response = SeeOther(_referrer(request))
    form = ThemeForm(request.POST)
    if form.is_valid():
        response.set_cookie(
            COOKIE,
            form.cleaned_data["theme"],
            max_age=COOKIE_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def _referrer(request: HttpRequest) -> str:
    """Return the URL that the request came from, if it is one of this site."""
    page = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure())
    return page if is_ours else reverse("downloads")
