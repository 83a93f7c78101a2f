"""Deletions in requests and responses of the API."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from rest_framework import serializers

from jobs.engine.deletions import (
    Deleted,
    Skipped,
    delete_expired_jobs,
    delete_files,
    delete_jobs,
)
from jobs.web.serializers import FileIdField, StrictSerializer
from jobs.web.serializers.fields import MAX_JOB_IDS, StrictList

ONE_OF_THEM = "Send one of jobIds, fileIds and expired."
NAMES = ("jobIds", "fileIds", "expired")


class AllExpired(serializers.BooleanField):
    """True, which deletes all expired jobs."""

    default_error_messages = {"not_true": "Send true, or leave it out."}
    openapi = {"enum": [True]}

    def to_internal_value(self, data: Any) -> bool:
        if super().to_internal_value(data) is not True:
            self.fail("not_true")
        return True


class DeletionRequest(StrictSerializer):
    """What to delete: jobs, files, or all expired jobs. Send one of the three."""

    RULES = {"anyOf": [{"required": [name]} for name in NAMES], "maxProperties": 1}

    jobIds = StrictList(
        child=serializers.UUIDField(), required=False, allow_empty=False,
        min_length=1, max_length=MAX_JOB_IDS,
    )  # fmt: skip
    fileIds = StrictList(
        child=FileIdField(), required=False, allow_empty=False,
        min_length=1, max_length=MAX_JOB_IDS,
    )  # fmt: skip
    expired = AllExpired(required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if len(data) != 1:
            raise serializers.ValidationError(ONE_OF_THEM)
        return data

    def delete(self, owner: User) -> Deleted:
        """Delete what is named. Raises OwnerBusy."""
        if job_ids := self.validated_data.get("jobIds"):
            return delete_jobs(owner, job_ids)
        if file_ids := self.validated_data.get("fileIds"):
            return delete_files(owner, file_ids)
        return delete_expired_jobs(owner)


class SkippedItem(serializers.Serializer[Any]):
    """What was not deleted: the id of a job or file, and why."""

    id = serializers.CharField()
    reason = serializers.ChoiceField(choices=[each.value for each in Skipped])


class DeletionResponse(serializers.Serializer[Any]):
    """What was deleted. Until `undoUntil`, a POST to `undoUrl` restores it; null: nothing was."""

    deletionId = serializers.UUIDField(allow_null=True)
    deleted = serializers.IntegerField()
    skipped = SkippedItem(many=True)
    undoUntil = serializers.DateTimeField(allow_null=True)
    undoUrl = serializers.CharField(allow_null=True)

    def to_representation(self, deleted: Deleted) -> dict[str, Any]:
        deletion = deleted.deletion
        until = deletion and deletion.undo_until.astimezone(UTC).isoformat()
        return {
            "deletionId": deletion and str(deletion.pk),
            "deleted": deleted.count,
            "skipped": [
                {"id": str(name), "reason": reason.value}
                for name, reason in deleted.skipped.items()
            ],
            "undoUntil": until and until.replace("+00:00", "Z"),
            "undoUrl": deletion and reverse("undo-deletion", args=[deletion.pk]),
        }


class RestoredResponse(serializers.Serializer[Any]):
    """How many jobs and files were restored."""

    restored = serializers.IntegerField()
