"""Files on their way to us."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Sum
from django.db.models.functions import Now

UPLOAD = "upload"  # the kind of the job that it becomes


class UploadQuerySet(models.QuerySet["Upload"]):
    def coming(self) -> Self:
        """Those that may still be gone on with."""
        return self.filter(touched_at__gte=_edge())

    def in_chunks(self) -> Self:
        return self.filter(chunk_bytes__gt=0)

    def given_up(self) -> Self:
        return self.filter(touched_at__lt=_edge()).order_by("touched_at")

    def give_up(self) -> None:
        """Of several, these are the last that the dispatcher deletes."""
        self.update(touched_at=_edge())

    def bytes(self) -> int:
        return int(self.coming().aggregate(bytes=Sum("size_bytes", default=0))["bytes"])


def _edge() -> models.Expression:
    return Now() - timedelta(seconds=settings.UPLOAD_IDLE_SECONDS)


class Upload(models.Model):
    """A file that is not all here yet. It becomes a job of the same id, and this row goes.

    It comes in one form, or in chunks onto an upload of the store's, whose id is `upload_id`.
    Should whoever sends it or receives it die, the dispatcher finds here what to delete.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="uploads")
    name = models.CharField(max_length=200)
    size_bytes = models.PositiveBigIntegerField()  # as announced; of a form, the most it may be
    chunk_bytes = models.PositiveBigIntegerField(default=0)  # of each but the last
    upload_id = models.TextField(blank=True)
    received = ArrayField(models.PositiveIntegerField(), default=list)  # chunks, from 0
    sha256 = models.CharField(max_length=64, blank=True)  # that it shall have
    terms = models.JSONField(default=dict, db_default={})  # of the job, as Terms writes them
    idempotency_key = models.CharField(max_length=255, blank=True)
    request_hash = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    touched_at = models.DateTimeField(db_default=Now())

    objects = UploadQuerySet.as_manager()

    class Meta:
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
        """Where it lies in the bucket."""
        return f"raw/{self.pk}/{self.name}"

    @property
    def chunks(self) -> int:
        """How many there are in all."""
        return -(-self.size_bytes // self.chunk_bytes)

    def size_of(self, chunk: int) -> int:
        return min(self.chunk_bytes, self.size_bytes - chunk * self.chunk_bytes)

    @property
    def is_complete(self) -> bool:
        return len(self.received) == self.chunks

    @property
    def expires_at(self) -> datetime | None:
        """When it is given up, if nothing comes before; a complete one is not."""
        if self.is_complete:
            return None
        return self.touched_at + timedelta(seconds=settings.UPLOAD_IDLE_SECONDS)

    @property
    def received_bytes(self) -> int:
        return sum(map(self.size_of, self.received))
