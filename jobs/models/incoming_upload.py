"""Uploads that are not complete yet."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Sum
from django.db.models.functions import Now


class IncomingUploadQuerySet(models.QuerySet["IncomingUpload"]):
    def coming(self) -> Self:
        """Return the uploads that are not abandoned."""
        return self.filter(touched_at__gte=_oldest_activity())

    def in_chunks(self) -> Self:
        return self.filter(chunk_bytes__gt=0)

    def given_up(self) -> Self:
        """Return the abandoned uploads, the oldest first."""
        return self.filter(touched_at__lt=_oldest_activity()).order_by("touched_at")

    def give_up(self) -> None:
        """Mark uploads as abandoned. The dispatcher deletes older ones first."""
        self.update(touched_at=_oldest_activity())

    def bytes(self) -> int:
        """Return the announced size of all active uploads."""
        return int(self.coming().aggregate(bytes=Sum("size_bytes", default=0))["bytes"])


def _oldest_activity() -> models.Expression:
    return Now() - timedelta(seconds=settings.UPLOAD_IDLE_SECONDS)


class IncomingUpload(models.Model):
    """A file that is being uploaded. When it is complete, a job with the same id replaces the row.

    A file is sent in one form, or in chunks that become the parts of an S3 multipart upload,
    `upload_id`. If the client or this process dies, the dispatcher finds here what to delete.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="uploads")
    name = models.CharField(max_length=200)
    size_bytes = models.PositiveBigIntegerField()  # as announced; for a form, the maximum
    chunk_bytes = models.PositiveBigIntegerField(
        default=0
    )  # of each chunk but the last; 0 for a form
    upload_id = models.TextField(blank=True)
    received = ArrayField(models.PositiveIntegerField(), default=list)  # chunks, from 0
    sha256 = models.CharField(max_length=64, blank=True)  # that the client expects
    terms = models.JSONField(default=dict, db_default={})  # of the job, from Terms.as_json
    idempotency_key = models.CharField(max_length=255, blank=True)
    request_hash = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    touched_at = models.DateTimeField(db_default=Now())

    objects = IncomingUploadQuerySet.as_manager()

    FOLDER = "raw"  # the first part of the keys of uploaded files

    class Meta:
        db_table = "jobs_upload"
        indexes = [models.Index("touched_at", name="upload_touched")]
        constraints = [
            models.UniqueConstraint(
                "owner",
                "idempotency_key",
                name="upload_once_a_key",
                condition=~models.Q(idempotency_key=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def key(self) -> str:
        """Key of the object in the bucket."""
        return f"{self.FOLDER}/{self.pk}/{self.name}"

    @property
    def chunks(self) -> int:
        """Number of chunks of the whole file."""
        return -(-self.size_bytes // self.chunk_bytes)

    def size_of(self, chunk: int) -> int:
        return min(self.chunk_bytes, self.size_bytes - chunk * self.chunk_bytes)

    @property
    def is_complete(self) -> bool:
        return len(self.received) == self.chunks

    @property
    def expires_at(self) -> datetime | None:
        """Time at which the upload counts as abandoned; None if it is complete."""
        if self.is_complete:
            return None
        return self.touched_at + timedelta(seconds=settings.UPLOAD_IDLE_SECONDS)

    @property
    def received_bytes(self) -> int:
        return sum(map(self.size_of, self.received))
