"""Light, dark, or as the device has it: kept in a cookie, so that the page comes right at once."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from jobs.web.pages.shared import SeeOther, signed_in

COOKIE = "theme"  # base.html reads it
THEMES = ("auto", "light", "dark")
KEPT = timedelta(days=365)


class Wanted(forms.Form):
    theme = forms.ChoiceField(choices=[(name, name) for name in THEMES])


@require_POST
@signed_in
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice, and go back to the page that it was made on."""
    response = SeeOther(_referrer(request))
    wanted = Wanted(request.POST)
    if wanted.is_valid():
        response.set_cookie(
            COOKIE,
            wanted.cleaned_data["theme"],
            max_age=KEPT,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def _referrer(request: HttpRequest) -> str:
    page = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure())
    return page if ours else reverse("downloads")
