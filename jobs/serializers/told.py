"""What is told about a job and its file."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers

from jobs import estimates, storage
from jobs.kinds import wanted_by
from jobs.models import UPLOAD, DownloadJob, StoredFile
from jobs.states import Status


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
    downloadUrl = serializers.SerializerMethodField()
    expiresIn = serializers.SerializerMethodField()

    class Meta:
        model = StoredFile
        fields = ["fileId", "fileName", "contentType", "size", "downloadUrl", "expiresIn"]

    def get_downloadUrl(self, file: StoredFile) -> str:
        return storage.presigned_url(file.key, name=file.name, content_type=file.content_type)

    def get_expiresIn(self, file: StoredFile) -> int:
        return storage.url_seconds()


class JobSerializer(serializers.ModelSerializer[DownloadJob]):
    """A job, as told. What does not apply to its status is left out."""

    jobId = serializers.UUIDField(source="id")
    userId = serializers.CharField(source="owner_id")
    message = serializers.SerializerMethodField()
    attempts = serializers.IntegerField(source="attempt")
    createdAt = serializers.DateTimeField(source="created_at")
    startedAt = serializers.DateTimeField(source="started_at", allow_null=True)
    updatedAt = serializers.DateTimeField(source="updated_at")
    finishedAt = serializers.DateTimeField(source="finished_at", allow_null=True)
    fileName = serializers.CharField(source="name")
    fileId = serializers.IntegerField(source="artifact.file_id", default=None)
    estimatedSecondsRemaining = serializers.SerializerMethodField()
    statusUrl = serializers.SerializerMethodField()
    downloadUrl = serializers.SerializerMethodField()
    expiresIn = serializers.SerializerMethodField()
    size = serializers.IntegerField(source="artifact.size_bytes", default=None)
    sha256 = serializers.CharField(source="artifact.sha256", default=None)
    contentType = serializers.CharField(source="artifact.content_type", default=None)
    processedFiles = serializers.SerializerMethodField()
    expiresAt = serializers.DateTimeField(source="expires_at")
    error = serializers.CharField()
    errorCode = serializers.CharField(source="error_code")
    runAt = serializers.DateTimeField(source="run_at")
    after = serializers.SerializerMethodField()
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

    ONLY_WHEN: dict[str, Callable[[DownloadJob], Any]] = {
        "estimatedSecondsRemaining": lambda job: not job.is_finished,
        **dict.fromkeys(
            ["downloadUrl", "expiresIn", "size", "sha256", "contentType", "expiresAt"],
            lambda job: job.status == Status.COMPLETED,
        ),
        **dict.fromkeys(
            ["processedFiles", "metadata"],
            lambda job: job.status == Status.COMPLETED and job.kind == UPLOAD,
        ),
        "fileId": lambda job: job.artifact is not None and job.artifact.file_id is not None,
        "speed": lambda job: job.status == Status.PROCESSING,
        "threads": lambda job: job.status == Status.PROCESSING and job.kind == "remote",
        **dict.fromkeys(["error", "errorCode"], lambda job: job.status == Status.FAILED),
        "runAt": lambda job: (
            job.status == Status.QUEUED and job.is_scheduled and not job.error_code
        ),
        "after": lambda job: job.status == Status.QUEUED and job.held,
        **dict.fromkeys(
            ["retryAt", "lastError"], lambda job: job.status == Status.QUEUED and job.error_code
        ),
    }

    def to_representation(self, job: DownloadJob) -> dict[str, Any]:
        told = super().to_representation(job)
        return {
            name: value
            for name, value in told.items()
            if name not in self.ONLY_WHEN or self.ONLY_WHEN[name](job)
        }

    def get_message(self, job: DownloadJob) -> str:
        if job.status == Status.QUEUED and job.held:
            return "Waiting for other downloads"
        if job.status == Status.QUEUED and job.run_at and job.run_at > timezone.now():
            return "Waiting for its time"
        return job.message

    def get_statusUrl(self, job: DownloadJob) -> str:
        return reverse("status", args=[job.pk])

    def get_estimatedSecondsRemaining(self, job: DownloadJob) -> int | None:
        return estimates.seconds_left(job, time.time())

    def get_downloadUrl(self, job: DownloadJob) -> str | None:
        if (file := job.artifact) is None:
            return None
        return storage.presigned_url(file.key, name=file.name, content_type=file.content_type)

    def get_expiresIn(self, job: DownloadJob) -> int:
        return storage.url_seconds()

    def get_after(self, job: DownloadJob) -> list[str]:
        """The jobs that it waits for, done or not."""
        return [str(other.pk) for other in job.after.only("pk")] if job.held else []

    def get_processedFiles(self, job: DownloadJob) -> dict[str, Any]:
        if job.kind != UPLOAD:
            return {}
        return {file.role: ProcessedFile(file).data for file in job.files.made_of_uploads()}


class AcceptedJob(JobSerializer):
    """What starting a bundle answers: the job, and how many different files it will hold."""

    totalFileIds = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "totalFileIds"]

    def get_totalFileIds(self, job: DownloadJob) -> int:
        return len(wanted_by(job.params))


class LinkJob(JobSerializer):
    """A job at the addresses of links, where older clients know some members by other names."""

    job_id = serializers.UUIDField(source="id")
    bytes_downloaded = serializers.IntegerField(source="done")
    total_bytes = serializers.IntegerField(source="total", allow_null=True)

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "job_id", "bytes_downloaded", "total_bytes"]


class AcceptedLink(LinkJob):
    """What asking for a link answers."""

    message = serializers.SerializerMethodField()

    def get_message(self, job: DownloadJob) -> str:
        return "Download job enqueued successfully"


class ReportJob(JobSerializer):
    """A job at the addresses of reports, where older clients know some members by other names."""

    id = serializers.UUIDField()
    progress_message = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "id", "progress_message"]

    def get_progress_message(self, job: DownloadJob) -> str:
        return JobSerializer.get_message(self, job)


class AcceptedReport(ReportJob):
    """What asking for a report answers."""

    message = serializers.SerializerMethodField()

    def get_message(self, job: DownloadJob) -> str:
        return "Report generation started"


class UploadJob(JobSerializer):
    """A job at the short address, where older clients know some members by other names.

    They apply to the statuses that the clients expect them in.
    """

    completedAt = serializers.DateTimeField(source="finished_at", allow_null=True)
    downloadUrls = serializers.SerializerMethodField()
    estimatedTimeRemaining = serializers.SerializerMethodField(
        method_name="get_estimatedSecondsRemaining"
    )
    retryCount = serializers.IntegerField(source="failures")

    class Meta(JobSerializer.Meta):
        fields = [
            *JobSerializer.Meta.fields,
            "completedAt", "downloadUrls", "estimatedTimeRemaining", "retryCount",
        ]  # fmt: skip

    ONLY_WHEN = JobSerializer.ONLY_WHEN | {
        "completedAt": lambda job: job.status == Status.COMPLETED,
        "downloadUrls": JobSerializer.ONLY_WHEN["processedFiles"],
        "estimatedTimeRemaining": lambda job: job.status == Status.PROCESSING,
        "retryCount": lambda job: job.status == Status.FAILED,
    }

    def get_downloadUrls(self, job: DownloadJob) -> dict[str, str]:
        files = self.get_processedFiles(job)
        return {role: file["downloadUrl"] for role, file in files.items()}


class AcceptedUpload(JobSerializer):
    """What sending a file answers."""

    message = serializers.SerializerMethodField()

    def get_message(self, job: DownloadJob) -> str:
        return "File uploaded successfully, processing started"


class JobResult(JobSerializer):
    """A finished file and where to fetch it."""

    ONLY_WHEN = {}  # there is one only while the job is completed

    class Meta(JobSerializer.Meta):
        fields = ["jobId", "status", "downloadUrl", "expiresIn", "fileName", "size", "sha256"]
