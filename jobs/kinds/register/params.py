"""The params of a registration: which objects, and who sees the files."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from rest_framework import serializers

from jobs.lib.accounts import account_named
from jobs.storage import own_bucket_name
from jobs.web.files import MAX_FOLDER_CHARS

MAX_KEY_CHARS = 1024


class BucketField(serializers.CharField):
    """The service's own bucket, or one of the setting BUCKETS. Not in the public document."""

    default_error_messages = {"unknown_bucket": "Use one of: {names}."}

    def to_internal_value(self, data: Any) -> str:
        if (name := super().to_internal_value(data)) not in (names := bucket_names()):
            self.fail("unknown_bucket", names=", ".join(names))
        return str(name)


def bucket_names() -> list[str]:
    return list(dict.fromkeys([own_bucket_name(), *settings.BUCKETS]))


class RegisterFields(serializers.Serializer[Any]):
    """Objects of a bucket to register as files.

    One of `owner`, `group` and `public` says who sees them. The name of a file is its key below the
    last slash of `prefix`, in `folder`.
    """

    bucket = BucketField()
    prefix = serializers.CharField(
        default="", allow_blank=True, max_length=MAX_KEY_CHARS, trim_whitespace=False
    )
    owner = serializers.CharField(required=False, max_length=254, help_text="A username.")
    group = serializers.CharField(required=False, max_length=150, help_text="The name of a group.")
    public = serializers.BooleanField(default=False)
    folder = serializers.CharField(default="", allow_blank=True, max_length=MAX_FOLDER_CHARS)
    RULES = {"oneOf": [{"required": ["owner"]}, {"required": ["group"]}, {"required": ["public"]}]}

    def validate_owner(self, name: str) -> str:
        if account_named(name) is None:
            raise serializers.ValidationError("There is no such user.")
        return name

    def validate_group(self, name: str) -> str:
        if not Group.objects.filter(name=name).exists():
            raise serializers.ValidationError("There is no such group.")
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(bool(attrs.get(name)) for name in ("owner", "group", "public")) != 1:
            sentence = "Say who sees the files: give owner, group, or public as true."
            raise serializers.ValidationError({"public": [sentence]})
        return attrs
