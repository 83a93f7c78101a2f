"""What is told about a job and its file."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from rest_framework import serializers

from jobs.engine import estimates
from jobs.kinds.registry import wanted_by
from jobs.models import DownloadJob, StoredFile
from jobs.web.representation import (
    CONDITIONAL,
    Body,
    file_body,
    job_body,
    link_body,
    report_body,
    upload_body,
)


class FileAvailability(serializers.Serializer[Any]):
    """Whether a file can be had. Size and hash are null where it cannot."""

    file_id = serializers.IntegerField()
    available = serializers.BooleanField()
    s3Key = serializers.CharField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)


class ProcessedFile(serializers.ModelSerializer[StoredFile]):
    """A file that was made of an upload."""

    fileId = serializers.IntegerField(source="file_id")
    fileName = serializers.CharField(source="name")
    contentType = serializers.CharField(source="content_type")
    size = serializers.IntegerField(source="size_bytes")
    downloadUrl = serializers.CharField()
    expiresIn = serializers.IntegerField()

    class Meta:
        model = StoredFile
        fields = ["fileId", "fileName", "contentType", "size", "downloadUrl", "expiresIn"]

    def to_representation(self, file: StoredFile) -> Body:
        return file_body(file)


class JobSerializer(serializers.ModelSerializer[DownloadJob]):
    """A job, as told. What does not apply to its status is left out."""

    # The fields are for the OpenAPI document; representation.py says what is in them.

    jobId = serializers.UUIDField(source="id")
    userId = serializers.CharField(source="owner_id")
    message = serializers.CharField()
    attempts = serializers.IntegerField(source="attempt")
    createdAt = serializers.DateTimeField(source="created_at")
    startedAt = serializers.DateTimeField(source="started_at", allow_null=True)
    updatedAt = serializers.DateTimeField(source="updated_at")
    finishedAt = serializers.DateTimeField(source="finished_at", allow_null=True)
    fileName = serializers.CharField(source="name")
    fileId = serializers.IntegerField(source="artifact.file_id")
    estimatedSecondsRemaining = serializers.IntegerField(allow_null=True)
    statusUrl = serializers.CharField()
    downloadUrl = serializers.CharField()
    expiresIn = serializers.IntegerField()
    size = serializers.IntegerField(source="artifact.size_bytes")
    sha256 = serializers.CharField(source="artifact.sha256")
    contentType = serializers.CharField(source="artifact.content_type")
    processedFiles = serializers.DictField(child=ProcessedFile())
    expiresAt = serializers.DateTimeField(source="expires_at")
    error = serializers.CharField()
    errorCode = serializers.CharField(source="error_code")
    runAt = serializers.DateTimeField(source="run_at")
    after = serializers.ListField(
        child=serializers.UUIDField(), help_text="The jobs that it waits for, done or not."
    )
    retryAt = serializers.DateTimeField(source="available_at")
    lastError = serializers.CharField(source="error")

    class Meta:
        model = DownloadJob
        fields = [
            "jobId", "kind", "userId", "status", "progress", "message", "done", "total", "unit",
            "attempts", "createdAt", "startedAt", "updatedAt", "finishedAt", "fileName",
            "speed", "threads", "statusUrl", "estimatedSecondsRemaining", "downloadUrl",
            "expiresIn", "size", "sha256", "contentType", "fileId", "processedFiles", "metadata",
            "expiresAt", "error", "errorCode", "runAt", "after", "retryAt", "lastError",
        ]  # fmt: skip

    CONDITIONAL = CONDITIONAL

    def to_representation(self, job: DownloadJob) -> Body:
        now = time.time()
        return job_body(
            job,
            now=now,
            seconds_left=estimates.seconds_left(job, now),
            depends_on=partial(_ids_of_dependencies, job),
            previews=job.files.previews,
        )


def _ids_of_dependencies(job: DownloadJob) -> list[str]:
    """The jobs that it waits for, done or not."""
    return [str(other.pk) for other in job.after.only("pk")]


class AcceptedJob(JobSerializer):
    """What starting a bundle answers: the job, and how many different files it will hold."""

    totalFileIds = serializers.IntegerField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "totalFileIds"]

    def to_representation(self, job: DownloadJob) -> Body:
        body = super().to_representation(job)
        return body | {"totalFileIds": len(wanted_by(job.params))}


class LinkJob(JobSerializer):
    """A job at the addresses of links, where older clients know some members by other names."""

    job_id = serializers.UUIDField(source="id")
    bytes_downloaded = serializers.IntegerField(source="done")
    total_bytes = serializers.IntegerField(source="total", allow_null=True)

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "job_id", "bytes_downloaded", "total_bytes"]

    def to_representation(self, job: DownloadJob) -> Body:
        return link_body(job, super().to_representation(job))


class AcceptedLink(LinkJob):
    """What asking for a link answers."""

    def to_representation(self, job: DownloadJob) -> Body:
        body = super().to_representation(job)
        return body | {"message": "Download job enqueued successfully"}


class ReportJob(JobSerializer):
    """A job at the addresses of reports, where older clients know some members by other names."""

    id = serializers.UUIDField()
    progress_message = serializers.CharField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "id", "progress_message"]

    def to_representation(self, job: DownloadJob) -> Body:
        return report_body(job, super().to_representation(job))


class AcceptedReport(ReportJob):
    """What asking for a report answers."""

    def to_representation(self, job: DownloadJob) -> Body:
        return super().to_representation(job) | {"message": "Report generation started"}


class UploadJob(JobSerializer):
    """A job at the short address, where older clients know some members by other names.

    They apply to the statuses that the clients expect them in.
    """

    completedAt = serializers.DateTimeField(source="finished_at", allow_null=True)
    downloadUrls = serializers.DictField(child=serializers.CharField())
    estimatedTimeRemaining = serializers.IntegerField(allow_null=True)
    retryCount = serializers.IntegerField(source="failures")

    class Meta(JobSerializer.Meta):
        fields = [
            *JobSerializer.Meta.fields,
            "completedAt", "downloadUrls", "estimatedTimeRemaining", "retryCount",
        ]  # fmt: skip

    CONDITIONAL = CONDITIONAL | {
        "completedAt", "downloadUrls", "estimatedTimeRemaining", "retryCount"
    }  # fmt: skip

    def to_representation(self, job: DownloadJob) -> Body:
        return upload_body(job, super().to_representation(job))


class AcceptedUpload(JobSerializer):
    """What sending a file answers."""

    def to_representation(self, job: DownloadJob) -> Body:
        sentence = "File uploaded successfully, processing started"
        return super().to_representation(job) | {"message": sentence}


class JobResult(JobSerializer):
    """A finished file and where to fetch it."""

    CONDITIONAL = set()  # there is one only while the job is completed

    class Meta(JobSerializer.Meta):
        fields = ["jobId", "status", "downloadUrl", "expiresIn", "fileName", "size", "sha256"]

    def to_representation(self, job: DownloadJob) -> Body:
        body = super().to_representation(job)
        return {name: body[name] for name in self.Meta.fields}
