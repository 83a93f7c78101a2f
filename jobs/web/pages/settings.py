"""The settings page: notifications by mail and webhook, the webhook secret, recent deliveries.

account.py has its forms for the email address and the password, key_forms.py those for API keys.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import BlockedAddress
from jobs.models import Notification, Preferences, can_be_mailed
from jobs.notifications import send_test_webhook
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.deliveries import RATE
from jobs.web.oidc import ID_TOKEN
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.form_submit import form_error_sentence
from jobs.web.pages.keys import keys_context
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.serializers import MAX_WEBHOOK_CHARS, StrictSerializer, Url
from jobs.web.throttle import throttle_request

MAX_NOTIFICATIONS = 10  # the latest
NOTHING_TO_TEST = "Enter the address to send the test to."


class WebhookSettings(StrictSerializer):
    """An empty `webhook` turns it off."""

    webhook = Url(allow_blank=True, max_length=MAX_WEBHOOK_CHARS)


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def settings_page(request: HttpRequest) -> HttpResponse:
    # Saved when first shown, so that the secret on the page stays valid.
    preferences, _ = Preferences.objects.get_or_create(owner=authenticated_user(request))
    if request.method != "POST":
        return settings_form(request, preferences)
    if "secret" in request.POST:
        return _rotate_secret(request, preferences)
    if "test" in request.POST:
        return _test(request, preferences)
    return _save(request, preferences)


def _save(request: HttpRequest, preferences: Preferences) -> HttpResponse:
    """Save the notification settings, or show the form with its error."""
    if refusal := _fill_in(request, preferences):
        return refusal
    preferences.save(update_fields=["email", "webhook"])
    messages.success(request, "Saved. Applies to new downloads.")
    return SeeOther(reverse("settings"))


def _test(request: HttpRequest, preferences: Preferences) -> HttpResponse:
    """Send a test to the webhook in the form, which is not saved, and show the response."""
    if refusal := _fill_in(request, preferences):
        return refusal
    if not preferences.webhook:
        return settings_form(request, preferences, HTTPStatus.BAD_REQUEST, error=NOTHING_TO_TEST)
    throttle_request(request, RATE)
    sent = send_test_webhook(authenticated_user(request), preferences.webhook)
    return settings_form(request, preferences, test=wording.notice_texts(sent, timezone.now()))


def _fill_in(request: HttpRequest, preferences: Preferences) -> HttpResponse | None:
    """Set what the form has, without saving it. Return the form with its error if it is invalid."""
    webhook = request.POST.get("webhook", "").strip()
    serializer = WebhookSettings(data={"webhook": webhook})
    preferences.email = "email" in request.POST and can_be_mailed(authenticated_user(request))
    preferences.webhook = webhook
    try:
        serializer.is_valid(raise_exception=True)
    except ValidationError as error:
        details: Any = error.get_full_details()
        error_text = form_error_sentence(details["webhook"], {})
        return settings_form(request, preferences, HTTPStatus.BAD_REQUEST, error=error_text)
    except BlockedAddress as error:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return settings_form(request, preferences, status, error=str(error))
    return None


def _rotate_secret(request: HttpRequest, preferences: Preferences) -> HttpResponse:
    """Make a new secret, unless the form has an old one: a second click changes nothing."""
    if preferences.change_secret(request.POST["secret"]):
        messages.success(request, "Secret rotated. The old one stays valid for one day.")
    return SeeOther(reverse("settings"))


def _is_email_managed(request: HttpRequest) -> bool:
    """Return whether the gateway or the provider sets the address again and again."""
    by_gateway = hasattr(request, "gateway_user") and bool(settings.GATEWAY_EMAIL_HEADER)
    return by_gateway or (ID_TOKEN in request.session and bool(authenticated_user(request).email))


def settings_form(
    request: HttpRequest, preferences: Preferences, status: int = HTTPStatus.OK, **context: Any
) -> HttpResponse:
    """Render the page. The context has the forms and errors of what was not saved."""
    user, now = authenticated_user(request), timezone.now()
    notifications = Notification.objects.filter(owner=user).order_by("-created_at")
    usual = {
        "preferences": preferences,
        "can_mail": can_be_mailed(user),
        "mail_is_on": settings.MAIL_IS_ON,
        "has_password": user.has_usable_password(),
        "has_own_email": not _is_email_managed(request),
        "notices": [wording.notice_texts(each, now) for each in notifications[:MAX_NOTIFICATIONS]],
    }
    shown = usual | keys_context(request) | context
    return render_page(request, "jobs/settings.html", shown, status)
