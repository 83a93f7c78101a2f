"""Webhooks: send a test, list the deliveries, send one again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.models import Notification, Preferences
from jobs.notifications import send_test_webhook
from jobs.web.authentication import authenticated_user
from jobs.web.deliveries import (
    MAX_DELIVERIES,
    RATE,
    DeliveriesQuery,
    DeliveriesResponse,
    DeliveryResponse,
    TestWebhookRequest,
    own_delivery,
    resend_delivery,
)
from jobs.web.key_authentication import request_key
from jobs.web.openapi.decorators import describes
from jobs.web.serializers.terms import usual_webhook

OF_JOB = OpenApiParameter(
    "jobId", type={"type": "string", "format": "uuid"}, description="Only those of this job."
)
NO_WEBHOOK = "Your settings have no webhook. Send the URL to test."


class TestWebhook(APIView):
    """Send a signed event of type `webhook.test`, and return what the receiver responds."""

    __test__ = False  # not a test, although it begins like one
    rate = RATE
    sample = {"url": "https://www.example.org/hook"}

    @describes(
        "test_webhook",
        {200: DeliveryResponse},
        request=TestWebhookRequest,
        problems=["blocked_address"],
    )
    def post(self, request: Request) -> Response:
        """Send a signed event of type `webhook.test`, and return what the receiver responds.

        The response is 200 also if the receiver refuses, or cannot be reached: see `status`.
        """
        serializer = TestWebhookRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        owner = authenticated_user(request)
        usual = usual_webhook(request_key(request)) or Preferences.of(owner).webhook
        url = serializer.validated_data.get("url") or usual
        if not url:
            raise ValidationError({"url": [NO_WEBHOOK]})
        return Response(DeliveryResponse(send_test_webhook(owner, url)).data)


class Deliveries(APIView):
    """List your latest webhooks."""

    @describes("webhook_deliveries", {200: DeliveriesResponse}, parameters=[OF_JOB])
    def get(self, request: Request) -> Response:
        """List your 50 newest webhooks, or those of one job, with the receiver's last responses."""
        query = DeliveriesQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        found = Notification.objects.deliveries(authenticated_user(request))
        if job_id := query.validated_data.get("jobId"):
            found = found.filter(job=job_id)
        body: Any = DeliveriesResponse({"results": found[:MAX_DELIVERIES]}).data
        return Response(body)


class ResendDelivery(APIView):
    """Send a webhook again, with the same `webhook-id`."""

    rate = RATE
    sample = None

    @describes(
        "resend_webhook",
        {200: DeliveryResponse},
        problems=["permission_denied", "not_found", "conflict"],
    )
    def post(self, request: Request, delivery_id: UUID) -> Response:
        delivery = own_delivery(request, delivery_id)
        resend_delivery(delivery)
        return Response(DeliveryResponse(delivery).data)
