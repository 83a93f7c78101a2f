"""Serializers of jobs and files in responses."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, ClassVar

from rest_framework import serializers

from jobs.engine import estimates
from jobs.errors import PREVIEW_CODES
from jobs.kinds.base import Body
from jobs.kinds.error_codes import job_error_codes
from jobs.models import DownloadJob, StoredFile
from jobs.web.representation import CONDITIONAL, represent_file, represent_job


class FileAvailability(serializers.Serializer[Any]):
    """Whether a file is available. If not, its size and hash are null.

    Anonymous callers only get `file_id` and `available`.
    """

    file_id = serializers.IntegerField()
    available = serializers.BooleanField()
    s3Key = serializers.CharField(allow_null=True, required=False)
    size = serializers.IntegerField(allow_null=True, required=False)
    sha256 = serializers.CharField(allow_null=True, required=False)


class ProcessedFile(serializers.ModelSerializer[StoredFile]):
    """A file that a job made beside its main one, such as a preview of an upload."""

    fileId = serializers.IntegerField(source="file_id")
    fileName = serializers.CharField(source="name")
    contentType = serializers.CharField(source="content_type")
    size = serializers.IntegerField(source="size_bytes")
    downloadUrl = serializers.URLField()
    expiresIn = serializers.IntegerField(min_value=0)

    class Meta:
        model = StoredFile
        fields = ["fileId", "fileName", "contentType", "size", "downloadUrl", "expiresIn"]

    def to_representation(self, file: StoredFile) -> Body:
        return represent_file(file)


class Metadata(serializers.JSONField):
    """What is known about the result, such as the width of a picture."""

    openapi = {
        "type": "object",
        "properties": {
            "width": {"type": "integer", "minimum": 0},
            "height": {"type": "integer", "minimum": 0},
            "pages": {"type": "integer", "minimum": 0},
            "textPages": {"type": "integer", "minimum": 0},
            "durationSeconds": {"type": "number", "minimum": 0},
            "skipped": {"type": "string", "description": "The previews left out, and why."},
            "skippedCode": {"type": "string", "enum": list(PREVIEW_CODES)},
        },
    }


class UrlReference(serializers.CharField):
    """A URL without scheme and host."""

    openapi = {"format": "uri-reference"}


class ErrorCode(serializers.ChoiceField):
    """The code of a failed job. Kinds define codes, so that the choices are read when needed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__([], **kwargs)

    @property
    def choices(self) -> dict[str, str]:
        return {code: code for code in job_error_codes()}

    @choices.setter
    def choices(self, _: Any) -> None:
        pass


class JobSerializer(serializers.ModelSerializer[DownloadJob]):
    """A job. Members that do not apply to its status are left out."""

    # The fields are for the OpenAPI document; representation.py makes the members.

    jobId = serializers.UUIDField(source="id")
    userId = serializers.CharField(source="owner_id")
    progress = serializers.FloatField(min_value=0, max_value=1)
    message = serializers.CharField()
    attempts = serializers.IntegerField(source="attempt", min_value=0)
    createdAt = serializers.DateTimeField(source="created_at")
    startedAt = serializers.DateTimeField(source="started_at", allow_null=True)
    updatedAt = serializers.DateTimeField(source="updated_at")
    finishedAt = serializers.DateTimeField(source="finished_at", allow_null=True)
    fileName = serializers.CharField(source="name")
    fileId = serializers.IntegerField(source="artifact.file_id", min_value=1)
    speed = serializers.IntegerField(min_value=0)
    threads = serializers.IntegerField(min_value=0)
    estimatedSecondsRemaining = serializers.IntegerField(allow_null=True, min_value=1)
    statusUrl = UrlReference()
    downloadUrl = serializers.URLField()
    expiresIn = serializers.IntegerField(min_value=0)
    size = serializers.IntegerField(source="artifact.size_bytes", min_value=0)
    sha256 = serializers.RegexField("^[0-9a-f]{64}$", source="artifact.sha256")
    contentType = serializers.CharField(source="artifact.content_type")
    processedFiles = serializers.DictField(child=ProcessedFile())
    metadata = Metadata()
    expiresAt = serializers.DateTimeField(source="expires_at")
    error = serializers.CharField()
    errorCode = ErrorCode(source="error_code")
    runAt = serializers.DateTimeField(source="run_at")
    after = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="The jobs that it depends on, completed or not.",
    )
    retryAt = serializers.DateTimeField(source="available_at")
    lastError = serializers.CharField(source="error")
    waitingFor = serializers.ChoiceField(
        choices=[(reason.value, reason.value) for reason in estimates.WaitingFor],
        help_text="Why it has not started.",
    )
    position = serializers.IntegerField(
        allow_null=True,
        min_value=0,
        help_text="About how many jobs of all owners will start before it. Two digits of it are"
        " exact. Null if that does not depend on other jobs.",
    )

    class Meta:
        model = DownloadJob
        fields = [
            "jobId", "kind", "userId", "status", "progress", "message", "done", "total", "unit",
            "attempts", "createdAt", "startedAt", "updatedAt", "finishedAt", "fileName",
            "speed", "threads", "statusUrl", "estimatedSecondsRemaining", "downloadUrl",
            "expiresIn", "size", "sha256", "contentType", "fileId", "processedFiles", "metadata",
            "expiresAt", "error", "errorCode", "runAt", "after", "retryAt", "lastError",
            "waitingFor", "position",
        ]  # fmt: skip

    CONDITIONAL = CONDITIONAL
    example_kind: ClassVar[str] = ""  # of the examples in the OpenAPI document; empty: the first

    @staticmethod
    def variant(job: DownloadJob, body: Body) -> Body:
        """Return the JSON with the members that this serializer adds."""
        return body

    def to_representation(self, job: DownloadJob) -> Body:
        now = time.time()
        body = represent_job(
            job,
            now=now,
            seconds_left=estimates.estimated_seconds_left(job, now),
            waiting=estimates.current_waiting(job, now),
            depends_on=partial(_ids_of_dependencies, job),
            previews=job.files.previews,
        )
        return self.variant(job, body)


def _ids_of_dependencies(job: DownloadJob) -> list[str]:
    """Return the ids of the jobs that this one depends on, completed or not."""
    return [str(other.pk) for other in job.after.only("pk")]


class JobResult(JobSerializer):
    """The file of a completed job, and its URL."""

    CONDITIONAL = set()  # only a completed job has one

    class Meta(JobSerializer.Meta):
        fields = ["jobId", "status", "downloadUrl", "expiresIn", "fileName", "size", "sha256"]

    @classmethod
    def variant(cls, job: DownloadJob, body: Body) -> Body:
        return {name: body[name] for name in cls.Meta.fields}


class JsonSchema(serializers.DictField):
    """A JSON Schema, in the dialect of OpenAPI 3.1."""

    openapi = {"type": ["object", "null"]}


class KindDescription(serializers.Serializer[Any]):
    """A kind of job. `requestSchema` is null if requests are not JSON, such as those with a file.

    `formUrl` is the page with its form, null if it has none.
    """

    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment] # a field has a label, too
    description = serializers.CharField()
    url = UrlReference()
    formUrl = UrlReference(allow_null=True)
    requestSchema = JsonSchema(allow_null=True)


class KindsResponse(serializers.Serializer[Any]):
    """The kinds of jobs that the caller may request."""

    results = KindDescription(many=True)
