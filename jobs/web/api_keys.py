"""API keys in requests and responses of the API, which the settings page uses, too."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from jobs.models import ApiKey, KeyScope
from jobs.web.authentication import authenticated_user
from jobs.web.schedules import Time
from jobs.web.serializers import MAX_WEBHOOK_CHARS, StrictSerializer, TextField, Url
from jobs.web.serializers.fields import StrictList, Timestamp

MAX_NAME_CHARS = 100


class KeyChanges(StrictSerializer):
    """The new name of a key. Scopes do not change: create another key."""

    name = TextField(max_length=MAX_NAME_CHARS)


class KeyRequest(KeyChanges):
    """A new key. Without `expiresAt` it does not expire.

    Jobs that it starts notify `webhook` instead of that in your settings. Needs the `owner` in its
    context.
    """

    scopes = StrictList(
        child=serializers.ChoiceField(KeyScope.choices),
        allow_empty=False,
        min_length=1,
        max_length=10,
    )
    expiresAt = Timestamp(required=False, allow_null=True)
    webhook = Url(required=False, max_length=MAX_WEBHOOK_CHARS)

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        if KeyScope.ADMIN in scopes and not self.context["owner"].is_staff:
            raise serializers.ValidationError("Only keys of staff may have the scope admin.")
        return [scope for scope in KeyScope.values if scope in scopes]

    def validate_expiresAt(self, expires_at: datetime | None) -> datetime | None:
        if expires_at and expires_at <= timezone.now():
            raise serializers.ValidationError("Use a time in the future.")
        return expires_at

    def key(self) -> ApiKey:
        """Return the key, which is not saved."""
        data = self.validated_data
        return ApiKey(
            owner=self.context["owner"],
            name=data["name"],
            scopes=data["scopes"],
            expires_at=data.get("expiresAt"),
            webhook=data.get("webhook", ""),
        )


class KeyResponse(serializers.Serializer[Any]):
    """A key without its secret. `prefix` is how it begins. `lastUsedAt` is to the minute."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(KeyScope.choices))
    webhook = serializers.CharField()
    createdAt = Time(source="created_at")
    expiresAt = Time(source="expires_at", allow_null=True)
    lastUsedAt = Time(source="last_used_at", allow_null=True)


class NewKeyResponse(KeyResponse):
    """A new key. `key` and `webhookSecret` are shown only here: store them now."""

    key = serializers.CharField()
    webhookSecret = serializers.CharField(source="webhook_secret")


class KeysResponse(serializers.Serializer[Any]):
    """Your keys, the newest first, without revoked ones."""

    results = KeyResponse(many=True)


def own_key(request: Request | HttpRequest, key_id: UUID) -> ApiKey:
    """Return the user's key, which may be revoked.

    Raises Http404, or PermissionDenied for another user's.
    """
    key = ApiKey.objects.filter(pk=key_id).first()
    is_own = key is not None and key.owner_id == authenticated_user(request).pk
    if key is None or (settings.HIDE_FOREIGN_JOBS and not is_own):
        raise Http404("This API key does not exist.")
    if not is_own:
        raise PermissionDenied("This API key belongs to another user.")
    return key
