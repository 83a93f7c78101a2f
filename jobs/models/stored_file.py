"""Stored files: the objects in the bucket that belong to somebody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import auto
from functools import cache
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import connection, models
from django.db.models import F, Func, Q, Sum, Value
from django.db.models.functions import Now

from jobs.models.compiled import CompiledQuery, QuerySlot
from jobs.models.sources import Sources

MIN_FILE_ID, MAX_FILE_ID = 10_000, 100_000_000
FILE_IDS = ArrayField(models.IntegerField(), name="file_ids")


class FileQuerySet(models.QuerySet["StoredFile"]):
    def numbered(self, file_ids: Sequence[int]) -> Self:
        """Return the files with these ids, sent as one array: there may be 100,000."""
        return self._of_array(Value(list(file_ids), output_field=FILE_IDS))

    def _of_array(self, file_ids: models.Expression) -> Self:
        return self.filter(file_id__in=Func(file_ids, template="(SELECT unnest(%(expressions)s))"))

    def few_visible_to(self, owner_id: int, file_ids: list[int]) -> list[StoredFile]:
        """Return the visible files with these ids. The query is compiled and planned once."""
        return _few_visible().rows(owner=owner_id, file_ids=file_ids)

    def visible_to(self, owner_id: int | QuerySlot | None) -> Self:
        """Return the files that the owner can bundle: the public catalogue and their own."""
        return self.filter(Q(owner=None) | Q(owner=owner_id), file_id__isnull=False).filter(
            Q(expires_at=None) | Q(expires_at__gt=Now())
        )

    def made_by_jobs(self, job_ids: Sequence[str], owner_id: int) -> Self:
        """Return the artifacts of these jobs of the owner."""
        role = StoredFile.Role.ARTIFACT
        return self.filter(owner=owner_id, made_by__in=job_ids, role=role)

    def read_by(self, sources: Sources, owner_id: int) -> Self:
        """Return the files that a job of the owner reads. jobs_check_1 does the same in SQL."""
        found = self.none()
        if sources.received_key:
            found |= self.received().filter(owner=owner_id, key=sources.received_key)
        if sources.made_by:
            found |= self.made_by_jobs(sources.made_by, owner_id)
        if sources.file_ids:
            found |= self.visible_to(owner_id).numbered(sources.file_ids)
        return found

    def by_owner(self, *owner_ids: int | None) -> list[Self]:
        """Return one queryset an owner, each of which an index returns newest first."""
        return [self.filter(owner=owner_id) for owner_id in owner_ids]

    def received(self) -> Self:
        """Return uploaded files that are not processed yet. Nobody can download them."""
        return self.filter(role__in=[StoredFile.Role.UPLOAD, StoredFile.Role.QUARANTINED])

    def duplicate_of(self, file: StoredFile, kind: str) -> StoredFile | None:
        """Return the owner's newest result of this kind with the same content, or None."""
        # Of the same type, too: it depends on the name, and the previews depend on it.
        same = {"owner": file.owner_id, "sha256": file.sha256, "content_type": file.content_type}
        processed = {"role": Role.ARTIFACT, "made_by__kind": kind}
        found = self.filter(**same, **processed, file_id__isnull=False, expires_at__gt=Now())
        found = found.exclude(made_by__metadata__has_key="skipped")  # previews may be possible now
        return found.select_related("made_by").order_by("-pk").first()

    def not_kept(self) -> Self:
        """Return uploaded files that never completed and have expired."""
        return self.received().filter(expires_at__lt=Now())

    def quarantine(self) -> None:
        """Mark uploaded files as infected: kept for operators, and not for download."""
        expires_at = Now() + timedelta(seconds=settings.RESULT_KEPT_SECONDS)
        role = StoredFile.Role.QUARANTINED
        self.filter(role=StoredFile.Role.UPLOAD).update(role=role, expires_at=expires_at)

    def previews(self) -> Self:
        """Return what jobs made beside their artifacts, such as previews."""
        return self.exclude(role__in=Role.values)

    def bytes(self) -> int:
        """Return the total size."""
        return int(self.aggregate(bytes=Sum("size_bytes", default=0))["bytes"])


class Role(models.TextChoices):
    """What a file is. Any other role is of a file that a job made beside its artifact."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name.lower()

    CATALOGUE = auto()
    ARTIFACT = auto()
    UPLOAD = auto()  # not checked yet; cannot be downloaded
    QUARANTINED = auto()  # infected; cannot be downloaded


class StoredFile(models.Model):
    """One object in the bucket: a file of the catalogue, an artifact, an upload or a preview."""

    Role = Role

    file_id = models.PositiveIntegerField(unique=True, null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="files"
    )
    key = models.CharField(max_length=400, unique=True)
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    crc32 = models.PositiveBigIntegerField()
    made_by = models.ForeignKey(
        "DownloadJob", models.PROTECT, null=True, blank=True, related_name="files"
    )
    role = models.CharField(max_length=20, default=Role.CATALOGUE)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = FileQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        # Only files with a number: most artifacts, which are many more, have none.
        indexes = [
            models.Index(
                F("file_id").desc(),
                name="file_public", condition=Q(owner=None, file_id__isnull=False),
            ),
            models.Index(
                F("owner"), F("file_id").desc(),
                name="file_of_owner", condition=Q(owner__isnull=False, file_id__isnull=False),
            ),
            models.Index(
                "owner", "sha256",
                name="file_the_same", condition=Q(owner__isnull=False, file_id__isnull=False),
            ),
            models.Index(
                "expires_at",
                name="file_not_kept", condition=Q(role__in=[Role.UPLOAD, Role.QUARANTINED]),
            ),
            GinIndex(  # of trigrams; without a pending list, which each search would read
                fields=["name", "content_type"], opclasses=["gin_trgm_ops"] * 2, fastupdate=False,
                name="file_found", condition=Q(file_id__isnull=False),
            ),
        ]  # fmt: skip
        constraints = [
            models.CheckConstraint(
                name="file_id_in_range",
                condition=Q(file_id=None) | Q(file_id__gte=MIN_FILE_ID, file_id__lte=MAX_FILE_ID),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def take_number(self) -> None:
        """Assign a file id, by which bundles can include it. The caller saves the row."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('jobs_file_number')")
            (self.file_id,) = cursor.fetchone()


@cache
def _few_visible() -> CompiledQuery[StoredFile]:
    owner = QuerySlot(StoredFile._meta.get_field("owner"))
    return CompiledQuery(
        StoredFile.objects.visible_to(owner)._of_array(QuerySlot(FILE_IDS)).order_by()
    )
