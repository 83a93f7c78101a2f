"""The request for a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from jobs.kinds.base import JobParams
from jobs.kinds.bundle.kind import Bundle
from jobs.kinds.bundle.start import MAX_NAME_CHARS
from jobs.terms import Terms
from jobs.web.serializers import JobRequest, Text
from jobs.web.serializers.fields import MAX_JOB_IDS, FileIdsField, JobId, StrictList


class BundleRequest(JobRequest):
    """Stored files, then the results of your jobs, in the given order. Duplicates are ignored.

    The bundle waits for the jobs in `job_ids`, as for those in `after`. `name` is the file name of
    the archive.
    """

    kind = Bundle.name
    file_ids = FileIdsField(
        required=False, allow_empty=False, max_length=settings.MAX_FILES_PER_BUNDLE
    )
    job_ids = StrictList(child=JobId(), required=False, min_length=1, max_length=MAX_JOB_IDS)
    name = Text(required=False, max_length=MAX_NAME_CHARS)
    RULES = {"anyOf": [{"required": ["file_ids"]}, {"required": ["job_ids"]}]}

    def validate_file_ids(self, file_ids: list[int]) -> list[int]:
        return list(dict.fromkeys(file_ids))

    def validate_job_ids(self, job_ids: list[UUID]) -> list[UUID]:
        return self.own_jobs(job_ids)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "file_ids" not in attrs and "job_ids" not in attrs:
            raise serializers.ValidationError({"file_ids": ["This field is required."]}, "required")
        return attrs

    def params(self) -> JobParams:
        data = self.validated_data
        params: JobParams = {"file_ids": data.get("file_ids", [])}
        if job_ids := data.get("job_ids"):
            params["job_ids"] = [str(job_id) for job_id in job_ids]
        return params

    def terms(self) -> Terms:
        terms, job_ids = super().terms(), self.validated_data.get("job_ids", [])
        return replace(terms, after=tuple(dict.fromkeys([*terms.after, *job_ids])))

    def submission(self) -> dict[str, Any]:
        return super().submission() | {"name": self.validated_data.get("name", "")}
