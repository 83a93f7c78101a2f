"""What may be asked for, per kind, and what is told about a job. Used by the API and the pages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from django.conf import settings
from django.urls import reverse
from rest_framework import serializers

from jobs import estimates, storage
from jobs.models import DownloadJob
from jobs.remote_file.targets import MAX_URL_CHARS, BadUrl, target_of
from jobs.states import Status

MIN_FILE_ID, MAX_FILE_ID = 10_000, 100_000_000
THREADS = 4  # connections, where nobody says how many
SHA256 = re.compile("[0-9A-Fa-f]{64}")
MAX_TOLD = 20  # wrong ids in one answer


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a typing error must not be ignored in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError(
                {name: ["This field is not known."] for name in sorted(unknown)}, code="unknown"
            )
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string, and no number that could be written as one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Url(Text):
    """A link that may be fetched, by its text alone. Raises BlockedAddress for one that may not."""

    default_error_messages = {"bad_url": "{reason}"}

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        try:
            target_of(url)
        except BadUrl as error:
            self.fail("bad_url", reason=str(error))
        return url


class Sha256(Text):
    default_error_messages = {"bad_sha256": "64 hexadecimal digits."}

    def to_internal_value(self, data: Any) -> str:
        if not SHA256.fullmatch(digits := super().to_internal_value(data)):
            self.fail("bad_sha256")
        return digits.lower()


def whole(number: Any) -> Any:
    """JSON has one kind of number: 7.0 is 7. What is none stays as it is, and is refused."""
    return int(number) if type(number) is float and number.is_integer() else number


class Whole(serializers.IntegerField):
    """A JSON number, and no string that looks like one."""

    def to_internal_value(self, data: Any) -> int:
        if type(data := whole(data)) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class FileIdField(Whole):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=MIN_FILE_ID, max_value=MAX_FILE_ID, **kwargs)


class FileIdsField(serializers.ListField):
    """Up to 100,000 file ids, looked at in one go; the first that are wrong are told."""

    child = FileIdField()

    def run_child_validation(self, data: list[Any]) -> list[int]:
        data = [whole(item) for item in data]
        wrong = (
            (n, item)
            for n, item in enumerate(data)
            if type(item) is not int or not MIN_FILE_ID <= item <= MAX_FILE_ID
        )
        told: dict[str, Any] = {}
        for n, item in islice(wrong, MAX_TOLD):
            try:
                self.child.run_validation(item)
            except serializers.ValidationError as error:
                told[str(n)] = error.detail
        if told:
            raise serializers.ValidationError(told)
        return data


class Wanted(StrictSerializer):
    """What one kind of job may be asked for."""

    def asked(self) -> dict[str, Any]:
        """The keyword arguments of `submit` that say what is wanted."""
        raise NotImplementedError


class BundleRequest(Wanted):
    """`file_ids` twice the same is once. `name` is what the archive is called."""

    file_ids = FileIdsField(allow_empty=False, max_length=settings.MAX_FILES_PER_BUNDLE)
    name = Text(required=False, max_length=200)
    priority = Whole(required=False, min_value=0, max_value=9)

    def validate_file_ids(self, file_ids: list[int]) -> list[int]:
        return list(dict.fromkeys(file_ids))

    def asked(self) -> dict[str, Any]:
        rest = dict(self.validated_data)
        return {"kind": "bundle", "params": {"file_ids": rest.pop("file_ids")}, **rest}


class RemoteRequest(Wanted):
    """`output` is what the file is called; without it, what the other side or the URL says.

    `threads` is how many connections are used at most, `sha256` what the file has to have.
    """

    url = Url(max_length=MAX_URL_CHARS)
    output = Text(required=False, max_length=200)
    threads = Whole(default=THREADS, min_value=1, max_value=16)
    sha256 = Sha256(required=False)
    priority = Whole(required=False, min_value=0, max_value=9)

    def asked(self) -> dict[str, Any]:
        rest = dict(self.validated_data)
        of_kind = ("url", "output", "threads", "sha256")
        params = {name: rest.pop(name) for name in of_kind if name in rest}
        return {"kind": "remote", "params": params, "name": params.get("output", ""), **rest}


class CheckRequest(StrictSerializer):
    """The number of a file."""

    file_id = FileIdField()


class FileAvailability(serializers.Serializer[Any]):
    """Whether a file can be had. Size and hash are null where it cannot."""

    file_id = serializers.IntegerField()
    available = serializers.BooleanField()
    s3Key = serializers.CharField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)


class JobSerializer(serializers.ModelSerializer[DownloadJob]):
    """A job, as told. What does not apply to its status is left out."""

    jobId = serializers.UUIDField(source="id")
    userId = serializers.CharField(source="owner_id")
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
    expiresAt = serializers.DateTimeField(source="expires_at")
    error = serializers.CharField()
    errorCode = serializers.CharField(source="error_code")
    retryAt = serializers.DateTimeField(source="available_at")
    lastError = serializers.CharField(source="error")

    class Meta:
        model = DownloadJob
        fields = [
            "jobId", "kind", "userId", "status", "progress", "message", "done", "total", "unit",
            "attempts", "createdAt", "startedAt", "updatedAt", "finishedAt", "fileName",
            "speed", "threads", "statusUrl", "estimatedSecondsRemaining", "downloadUrl",
            "expiresIn", "size", "sha256", "fileId", "expiresAt", "error", "errorCode", "retryAt",
            "lastError",
        ]  # fmt: skip

    ONLY_WHEN: dict[str, Callable[[DownloadJob], Any]] = {
        "estimatedSecondsRemaining": lambda job: not job.is_finished,
        **dict.fromkeys(
            ["downloadUrl", "expiresIn", "size", "sha256", "expiresAt"],
            lambda job: job.status == Status.COMPLETED,
        ),
        "fileId": lambda job: job.artifact is not None and job.artifact.file_id is not None,
        "speed": lambda job: job.status == Status.PROCESSING,
        "threads": lambda job: job.status == Status.PROCESSING and job.kind == "remote",
        **dict.fromkeys(["error", "errorCode"], lambda job: job.status == Status.FAILED),
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


class AcceptedJob(JobSerializer):
    """What starting a bundle answers: the job, and how many different files it will hold."""

    totalFileIds = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "totalFileIds"]

    def get_totalFileIds(self, job: DownloadJob) -> int:
        return len(job.params["file_ids"])


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


class JobResult(JobSerializer):
    """A finished file and where to fetch it."""

    ONLY_WHEN = {}  # there is one only while the job is completed

    class Meta(JobSerializer.Meta):
        fields = ["jobId", "status", "downloadUrl", "expiresIn", "fileName", "size", "sha256"]


class ByStatus(serializers.Serializer[Any]):
    """How many jobs have which status."""

    queued = serializers.IntegerField()
    processing = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    expired = serializers.IntegerField()


class Total(ByStatus):
    total = serializers.IntegerField()


class Lately(serializers.Serializer[Any]):
    """Jobs that came and went in the time."""

    submitted = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class Rates(serializers.Serializer[Any]):
    lastMinute = Lately()
    lastHour = Lately()


class QueueStatistics(serializers.Serializer[Any]):
    """The queue as a whole. `oldestQueuedSeconds` is null while nothing is due."""

    queue_stats = Total()
    kinds = serializers.DictField(child=ByStatus())
    waitingForRetry = serializers.IntegerField()
    stalled = serializers.IntegerField()
    oldestQueuedSeconds = serializers.FloatField(allow_null=True)
    rates = Rates()
    timestamp = serializers.DateTimeField()


class RunningJob(serializers.Serializer[Any]):
    jobId = serializers.UUIDField()
    kind = serializers.CharField()
    attempt = serializers.IntegerField()
    progress = serializers.FloatField()
    message = serializers.CharField()
    startedAt = serializers.DateTimeField()
    leaseUntil = serializers.DateTimeField()


class Worker(serializers.Serializer[Any]):
    """A worker. `processes`, as many jobs as it runs at once, is null where it does not answer."""

    name = serializers.CharField()
    answers = serializers.BooleanField()
    processes = serializers.IntegerField(allow_null=True)
    jobs = RunningJob(many=True)


class WorkerStatistics(serializers.Serializer[Any]):
    """The workers, and what they do. Without the broker it is known from the jobs alone."""

    brokerAnswers = serializers.BooleanField()
    workers = Worker(many=True)
    timestamp = serializers.DateTimeField()
