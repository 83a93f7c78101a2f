"""Deliveries of webhooks in requests and responses of the API, which the pages use, too."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from rest_framework import serializers
from rest_framework.request import Request

from jobs.models import Notification
from jobs.web.authentication import authenticated_user
from jobs.web.problems import Problem
from jobs.web.serializers import MAX_WEBHOOK_CHARS, StrictSerializer, Url

RATE = "webhook"  # of tests, and of deliveries that are sent again
MAX_DELIVERIES = 50  # in a list, the newest
STILL_WAITING = "This delivery is still being tried. You can resend it when it is sent or failed."


class TestWebhookRequest(StrictSerializer):
    """Where to send the test. Without `url`, to the webhook of your settings."""

    __test__ = False  # not a test, although it begins like one

    url = Url(required=False, max_length=MAX_WEBHOOK_CHARS)


class DeliveriesQuery(serializers.Serializer[Any]):
    jobId = serializers.UUIDField(required=False)


class DeliveryResponse(serializers.Serializer[Any]):
    """A webhook, and what its receiver returned at the last attempt.

    `host` is the receiver's; the rest of its URL may be a secret. `responseStatus` is null if it
    did not respond; `error` says why. `responseBody` has at most 500 characters.
    """

    deliveryId = serializers.UUIDField(source="id")
    type = serializers.CharField(source="event_type")
    jobId = serializers.UUIDField(source="job_id", allow_null=True)
    host = serializers.CharField(source="place")
    status = serializers.ChoiceField(Notification.State.choices, source="state")
    attempts = serializers.IntegerField(source="tries")
    error = serializers.SerializerMethodField()
    responseStatus = serializers.IntegerField(source="response_status", allow_null=True)
    responseSeconds = serializers.FloatField(source="response_seconds", allow_null=True)
    responseBody = serializers.CharField(source="response_text")
    createdAt = serializers.DateTimeField(source="created_at")
    sentAt = serializers.DateTimeField(source="sent_at", allow_null=True)
    nextAttemptAt = serializers.SerializerMethodField()

    def get_error(self, notification: Notification) -> str | None:
        return notification.error or None

    def get_nextAttemptAt(self, notification: Notification) -> str | None:
        """Null once it is sent or failed. During an attempt, when another may be made."""
        if notification.state != Notification.State.WAITING:
            return None
        return notification.due_at.isoformat().replace("+00:00", "Z")


class DeliveriesResponse(serializers.Serializer[Any]):
    """Your webhooks, the newest first."""

    results = DeliveryResponse(many=True)


def own_delivery(request: Request | HttpRequest, delivery_id: UUID) -> Notification:
    """Return the user's webhook. Raises Http404, or PermissionDenied for another user's."""
    found = Notification.objects.filter(
        pk=delivery_id, channel=Notification.Channel.WEBHOOK, owner__isnull=False
    ).first()
    is_own = found is not None and found.owner_id == authenticated_user(request).pk
    if found is None or (settings.HIDE_FOREIGN_JOBS and not is_own):
        raise Http404("This delivery does not exist.")
    if not is_own:
        raise PermissionDenied("This delivery belongs to another user.")
    return found


def resend_delivery(delivery: Notification) -> None:
    """Queue it once more, with the same id. Raises Problem 409 while it is still being tried."""
    if not Notification.objects.filter(pk=delivery.pk).send_again():
        raise Problem(HTTPStatus.CONFLICT, "conflict", STILL_WAITING)
    delivery.refresh_from_db()
