"""The responses about uploads, with second names of members for older clients."""

from __future__ import annotations

from rest_framework import serializers

from jobs.kinds.base import Body, Job
from jobs.kinds.upload.kind import Upload
from jobs.kinds.upload.older_names import older_upload_names
from jobs.web.representation import CONDITIONAL
from jobs.web.serializers import JobSerializer


class UploadJob(JobSerializer):
    """A job for older clients: some members have a second name, in the statuses they expect."""

    example_kind = Upload.name
    completedAt = serializers.DateTimeField(source="finished_at", allow_null=True)
    downloadUrls = serializers.DictField(child=serializers.URLField())
    estimatedTimeRemaining = serializers.IntegerField(allow_null=True, min_value=1)
    retryCount = serializers.IntegerField(source="failures", min_value=0)

    class Meta(JobSerializer.Meta):
        fields = [
            *JobSerializer.Meta.fields,
            "completedAt", "downloadUrls", "estimatedTimeRemaining", "retryCount",
        ]  # fmt: skip

    CONDITIONAL = CONDITIONAL | {
        "completedAt", "downloadUrls", "estimatedTimeRemaining", "retryCount"
    }  # fmt: skip

    variant = staticmethod(older_upload_names)


class AcceptedUpload(JobSerializer):
    """A new upload."""

    example_kind = Upload.name

    @staticmethod
    def variant(job: Job, body: Body) -> Body:
        return body | {"message": "File uploaded successfully, processing started"}
