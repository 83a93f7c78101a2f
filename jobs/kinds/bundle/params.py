"""The params of a bundle: which files it has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from jobs.web.serializers.fields import MAX_JOB_IDS, FileIdsField, StrictList
from jobs.web.serializers.terms import own_jobs_in_terms


class BundleFields(serializers.Serializer[Any]):
    """Stored files, then the results of your jobs, in the given order. Duplicates are ignored.

    The bundle waits for the jobs in `job_ids`, as for those in `after`. `name` is the file name of
    the archive.
    """

    file_ids = FileIdsField(
        required=False, allow_empty=False, max_length=settings.MAX_FILES_PER_BUNDLE
    )
    job_ids = StrictList(
        child=serializers.UUIDField(), required=False, min_length=1, max_length=MAX_JOB_IDS
    )
    RULES = {"anyOf": [{"required": ["file_ids"]}, {"required": ["job_ids"]}]}

    def validate_file_ids(self, file_ids: list[int]) -> list[int]:
        return list(dict.fromkeys(file_ids))

    def validate_job_ids(self, job_ids: list[UUID]) -> list[UUID]:
        return own_jobs_in_terms(self.context["owner"], job_ids)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "file_ids" not in attrs and "job_ids" not in attrs:
            raise serializers.ValidationError({"file_ids": ["This field is required."]}, "required")
        return {"file_ids": []} | attrs
