"""Send webhooks, signed as Standard Webhooks specifies (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from jobs.errors import BlockedAddress, RemoteError, Undelivered
from jobs.lib import retry_after
from jobs.lib.database import release_database_connection
from jobs.models import ApiKey, Notification, Preferences
from jobs.outbound import BadUrl, post_outbound
from jobs.states import Status

WITHIN_SECONDS = 15  # for a whole try
BOTH_SIGN = timedelta(days=1)  # after the secret was rotated
GONE = 410
MAX_REST_SECONDS = 24 * 3600  # of a Retry-After


def send_webhook(notification: Notification) -> None:
    """Send one webhook, and set the receiver's response on it. Raises Undelivered."""
    body = webhook_body(notification)
    headers = _headers(notification, body)
    release_database_connection()
    began = time.monotonic()
    try:
        response = post_outbound(notification.to, body, headers, within_seconds=WITHIN_SECONDS)
    except (BadUrl, BlockedAddress) as error:
        notification.set_response(None, b"", time.monotonic() - began)
        raise Undelivered(str(error), for_good=True) from error
    except RemoteError as error:
        notification.set_response(None, b"", time.monotonic() - began)
        raise Undelivered(str(error)) from error
    status = response.status
    notification.set_response(status, response.body, time.monotonic() - began)
    if not 200 <= status < 300:
        raise Undelivered(
            f"{notification.place} returned {status}.",
            for_good=status == GONE,
            after_seconds=retry_after.longest_retry_after(
                response.retry_after, at_most=MAX_REST_SECONDS
            ),
        )


def send_test_webhook(owner: User, url: str) -> Notification:
    """Send a `webhook.test` event at once, in this thread. Return its row, with the outcome.

    It is not retried.
    """
    now = timezone.now()
    notification = Notification(
        pk=uuid4(),
        owner=owner,
        channel=Notification.Channel.WEBHOOK,
        to=url,
        content={"test": {"userId": str(owner.pk), "sentAt": now.isoformat()}},
        state=Notification.State.SENT,
        tries=1,
        sent_at=now,
    )
    try:
        send_webhook(notification)
    except Undelivered as error:
        notification.state, notification.sent_at = Notification.State.FAILED, None
        notification.error = str(error)
    notification.save(force_insert=True)
    return notification


def webhook_body(notification: Notification) -> bytes:
    """Return the body, which is the same for every try."""
    if test := notification.content.get("test"):
        message = {
            "type": notification.event_type,
            "timestamp": test["sentAt"],
            "data": {"userId": test["userId"]},
        }
        return json.dumps(message, sort_keys=True).encode()
    if alert := notification.content.get("alert"):
        ended = alert["resolvedAt"]
        message = {
            "type": notification.event_type,
            "timestamp": ended or alert["since"],
            "data": alert,
        }
        return json.dumps(message, sort_keys=True).encode()
    outcome = notification.content
    links = {"statusUrl": _address("status", outcome["jobId"])}
    if outcome["status"] == Status.COMPLETED and "size" in outcome:  # otherwise it made no file
        links["downloadUrl"] = _address("download", outcome["jobId"])
    message = {
        "type": notification.event_type,
        "timestamp": outcome["finishedAt"],
        "data": outcome | links,
    }
    return json.dumps(message, sort_keys=True).encode()


def webhook_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature` for one secret."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _headers(notification: Notification, body: bytes) -> dict[str, str]:
    message_id, now = f"msg_{notification.pk.hex}", int(time.time())
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(
            webhook_signature(secret, message_id, now, body) for secret in _secrets(notification)
        ),
    }


def _secrets(notification: Notification) -> list[str]:
    """Return the secrets of the API keys with this webhook; the owner's if theirs is the same."""
    owner_id = notification.owner_id
    if owner_id is None:  # the operators' webhook
        return [settings.OPERATOR_WEBHOOK_SECRET] if settings.OPERATOR_WEBHOOK_SECRET else []
    # Saved if it is new: the owner must be able to look up the secret.
    owner, _ = Preferences.objects.get_or_create(owner_id=owner_id)
    keys = ApiKey.objects.filter(owner=owner_id, webhook=notification.to)  # also revoked ones
    secrets = list(keys.values_list("webhook_secret", flat=True))
    return [
        *secrets,
        *(_of_owner(owner) if not secrets or owner.webhook == notification.to else []),
    ]


def _of_owner(owner: Preferences) -> list[str]:
    changed_at = owner.secret_changed_at
    lately = changed_at and timezone.now() - changed_at < BOTH_SIGN
    return [owner.secret, *([owner.earlier_secret] if lately and owner.earlier_secret else [])]


def _address(name: str, job_id: str) -> str:
    return settings.BASE_URL + reverse(name, args=[job_id])
