"""Share links in requests and responses of the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from jobs.models import LinkState, ShareLink
from jobs.web.serializers.fields import StrictSerializer, TextField, Timestamp

MAX_DOWNLOADS = 1_000_000
MAX_PASSWORD_CHARS = 128


class PasswordField(TextField):
    """A password. Blanks at its ends belong to it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=MAX_PASSWORD_CHARS, **kwargs)


class ShareRequest(StrictSerializer):
    """The limits of a link. Without any, it works as long as the file exists."""

    expiresAt = Timestamp(required=False, allow_null=True)
    maxDownloads = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MAX_DOWNLOADS
    )
    password = PasswordField(required=False)

    def validate_expiresAt(self, at: datetime | None) -> datetime | None:
        if at and at <= timezone.now():
            raise serializers.ValidationError("Use a time in the future.")
        return at

    def limits(self) -> dict[str, Any]:
        """Return the arguments of `create_share_link`."""
        data = self.validated_data
        return {
            "expires_at": data.get("expiresAt"),
            "max_downloads": data.get("maxDownloads"),
            "password": data.get("password", ""),
        }


class ShareResponse(serializers.Serializer[Any]):
    """A link to a file. Whoever has its `url` can download the file while it is `active`."""

    shareId = serializers.UUIDField(source="id")
    url = serializers.URLField()
    state = serializers.ChoiceField(choices=[each.value for each in LinkState])
    hasPassword = serializers.BooleanField()
    expiresAt = serializers.DateTimeField(allow_null=True, source="expires_at")
    maxDownloads = serializers.IntegerField(allow_null=True, source="max_downloads")
    downloads = serializers.IntegerField()
    lastDownloadAt = serializers.DateTimeField(allow_null=True, source="last_download_at")
    createdAt = serializers.DateTimeField(source="created_at")

    def to_representation(self, link: ShareLink) -> dict[str, Any]:
        return {
            "shareId": str(link.pk),
            "url": self.context["url"](link),
            "state": link.state.value,
            "hasPassword": bool(link.password),
            "expiresAt": utc_text(link.expires_at),
            "maxDownloads": link.max_downloads,
            "downloads": link.downloads,
            "lastDownloadAt": utc_text(link.last_download_at),
            "createdAt": utc_text(link.created_at),
        }


class SharesResponse(serializers.Serializer[Any]):
    """The links to the file of a job, the newest first."""

    results = ShareResponse(many=True)


class SharedFilePassword(StrictSerializer):
    """The password of a link. Leave it out for a link without one."""

    password = PasswordField(required=False)


class SharedFileResponse(serializers.Serializer[Any]):
    """What a link gives. Behind a password, `name`, `contentType` and `size` are null."""

    sharedBy = serializers.CharField()
    passwordRequired = serializers.BooleanField()
    name = serializers.CharField(allow_null=True)
    contentType = serializers.CharField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    expiresAt = serializers.DateTimeField(allow_null=True)
    downloadsLeft = serializers.IntegerField(allow_null=True)
    downloadUrl = serializers.CharField()


def utc_text(at: datetime | None) -> str | None:
    """Return a time as in all responses, such as '2026-11-22T09:30:00Z'."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
