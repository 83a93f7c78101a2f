"""Stored files in responses and requests of the API: their JSON, and what can be changed."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from jobs import storage
from jobs.kinds.base import Body
from jobs.lib.names import safe_name, safe_path
from jobs.models import StoredFile
from jobs.models.stored_file import MAX_PATH_CHARS
from jobs.web.authentication import authenticated_user
from jobs.web.problems import Problem
from jobs.web.representation import represent_time
from jobs.web.serializers import StrictSerializer, TextField
from jobs.web.serializers.fields import MAX_NAME_CHARS, Timestamp

VISIBILITIES = ("public", "private", "group")
MAX_FOLDER_CHARS = MAX_PATH_CHARS - MAX_NAME_CHARS - 1
CHANGE, DELETE = "jobs.change_storedfile", "jobs.delete_storedfile"


def file_visibility(file: StoredFile) -> str:
    """Return who sees the file: everybody, its owner, or the members of its group."""
    if file.owner_id is not None:
        return "private"
    return "public" if file.group_id is None else "group"


def represent_stored_file(file: StoredFile) -> Body:
    """Return the JSON of a file. For a list, prefetch `group` first."""
    body: Body = {
        "fileId": file.file_id,
        "name": file.base_name,
        "folder": file.folder,
        "type": file.content_type,
        "size": file.size_bytes,
        "sha256": file.sha256,
        "createdAt": represent_time(file.created_at),
        "expiresAt": represent_time(file.expires_at),
        "visibility": file_visibility(file),
    }
    if file.group:
        body["group"] = file.group.name
    body["downloadUrl"] = storage.presigned_url(
        file.key,
        name=file.base_name,
        content_type=file.content_type,
        bucket_name=file.bucket,
    )
    return body | {"expiresIn": settings.DOWNLOAD_URL_SECONDS}


class FileSerializer(serializers.Serializer[StoredFile]):
    """A stored file. `group` is the name of the group whose members see it, if that is so."""

    fileId = serializers.IntegerField()
    name = serializers.CharField()
    folder = serializers.CharField(help_text="Such as `2026/05`. Empty: none.")
    type = serializers.CharField(help_text="The media type, from its content.")
    size = serializers.IntegerField(min_value=0)
    sha256 = serializers.RegexField("^[0-9a-f]{64}$")
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True)
    visibility = serializers.ChoiceField(choices=VISIBILITIES)
    group = serializers.CharField(required=False)
    downloadUrl = serializers.URLField(help_text="Works for `expiresIn` seconds, for anybody.")
    expiresIn = serializers.IntegerField(min_value=0)

    def to_representation(self, file: StoredFile) -> Body:
        return represent_stored_file(file)


class FileChanges(StrictSerializer):
    """Changes of a file. What is left out stays.

    An empty `folder` is none. `expiresAt` is null for a file that does not expire; the results of
    jobs expire with their jobs.
    """

    name = TextField(required=False, max_length=MAX_NAME_CHARS)
    folder = serializers.CharField(required=False, allow_blank=True, max_length=MAX_FOLDER_CHARS)
    expiresAt = Timestamp(required=False, allow_null=True)

    def validate_expiresAt(self, moment: datetime | None) -> datetime | None:
        if moment is not None and moment <= timezone.now():
            raise serializers.ValidationError("Use a time in the future.")
        return moment

    def apply(self, file_id: int) -> StoredFile:
        """Change the file and return it. Raises Problem if the expiry is that of a job."""
        changes = self.validated_data
        with transaction.atomic():
            file = StoredFile.objects.select_for_update(of=("self",)).get(file_id=file_id)
            if "expiresAt" in changes:
                if not file.is_registered:
                    sentence = "The file is the result of a job, and expires with it."
                    raise Problem(HTTPStatus.CONFLICT, "conflict", sentence)
                file.expires_at = changes["expiresAt"]
            name = safe_name(changes.get("name", file.base_name))
            folder = safe_path(changes.get("folder", file.folder), MAX_FOLDER_CHARS)
            file.name = f"{folder}/{name}" if folder else name
            file.save(update_fields=["name", "expires_at"])
        return file


def visible_file(request: Request, file_id: int) -> StoredFile:
    """Return a file that the user sees. Raises Http404: others look like missing ones."""
    seen = StoredFile.objects.visible_to(authenticated_user(request).pk)
    file = seen.select_related("group").filter(file_id=file_id).first()
    if file is None:
        raise Http404("This file does not exist.")
    return file


def check_may_change(user: User, file: StoredFile, permission: str) -> None:
    """Raises PermissionDenied unless the file is the user's own, or they have the permission."""
    if not (file.owner_id == user.pk or user.is_staff or user.has_perm(permission)):
        raise PermissionDenied("This file is shared. Only staff can change or delete it.")
