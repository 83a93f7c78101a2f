"""The forms for API keys on the settings page: create, revoke."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from jobs.models import ApiKey, Preferences
from jobs.web.api_keys import own_key
from jobs.web.authentication import authenticated_user
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.keys import KeyForm, create_key
from jobs.web.pages.rendering import SeeOther
from jobs.web.pages.settings import settings_form

SENT_BEFORE = "This key was created before. If you did not copy it, revoke it and create another."


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def create_key_from_page(request: HttpRequest) -> HttpResponse:
    """Create an API key and show it, or show the form with its errors."""
    if request.method != "POST":  # this URL is in the browser after a form
        return SeeOther(reverse("settings"))
    preferences, _ = Preferences.objects.get_or_create(owner=authenticated_user(request))
    created = create_key(request, KeyForm.of(request.POST))
    if created is None:
        messages.warning(request, SENT_BEFORE)
        return SeeOther(reverse("settings"))
    if isinstance(created, KeyForm):
        return settings_form(request, preferences, created.status, key_form=created)
    return settings_form(request, preferences, new_key=created)


@require_POST
@sign_in_required
def revoke_key_from_page(request: HttpRequest, key_id: UUID) -> HttpResponse:
    if ApiKey.objects.filter(pk=own_key(request, key_id).pk).revoke():
        messages.success(request, "Key revoked.")
    return SeeOther(reverse("settings"))
