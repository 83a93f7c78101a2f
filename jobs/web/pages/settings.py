"""What an owner wants of all downloads: to be mailed, and who else is told that one is over."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import BlockedAddress
from jobs.models import Notification, Preferences, can_be_mailed
from jobs.web import wording
from jobs.web.api_responses import caller
from jobs.web.pages.form_submit import sentence
from jobs.web.pages.shared import SeeOther, page, signed_in
from jobs.web.serializers import MAX_WEBHOOK_CHARS, StrictSerializer, Url

TOLD = 10  # messages, the latest


class Wanted(StrictSerializer):
    """Nobody is told where `webhook` is empty."""

    webhook = Url(allow_blank=True, max_length=MAX_WEBHOOK_CHARS)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def settings(request: HttpRequest) -> HttpResponse:
    # Saved with the first look: a secret that is shown has to stay.
    mine, _ = Preferences.objects.get_or_create(owner=caller(request))
    if request.method != "POST":
        return _form(request, mine)
    return _change_secret(request, mine) if "secret" in request.POST else _keep(request, mine)


def _keep(request: HttpRequest, mine: Preferences) -> HttpResponse:
    given = request.POST.get("webhook", "").strip()
    wanted = Wanted(data={"webhook": given})
    mine.email = "email" in request.POST and can_be_mailed(caller(request))
    mine.webhook = given
    try:
        wanted.is_valid(raise_exception=True)
    except ValidationError as error:
        details: Any = error.get_full_details()
        return _form(request, mine, sentence(details["webhook"], {}), HTTPStatus.BAD_REQUEST)
    except BlockedAddress as error:
        return _form(request, mine, str(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    mine.save(update_fields=["email", "webhook"])
    messages.success(request, "Saved. It holds for what you ask for from now on.")
    return SeeOther(reverse("settings"))


def _change_secret(request: HttpRequest, mine: Preferences) -> HttpResponse:
    """Once for each page that showed one: a second click leaves the new one alone."""
    if mine.change_secret(request.POST["secret"]):
        messages.success(request, "There is a new secret. The old one works for another day.")
    return SeeOther(reverse("settings"))


def _form(
    request: HttpRequest, mine: Preferences, error: str = "", status: int = HTTPStatus.OK
) -> HttpResponse:
    now = timezone.now()
    sent = Notification.objects.filter(owner=caller(request)).order_by("-created_at")[:TOLD]
    context = {
        "preferences": mine,
        "can_mail": can_be_mailed(caller(request)),
        "error": error,
        "notices": [wording.notice(notification, now) for notification in sent],
    }
    return page(request, "jobs/settings.html", context, status)
