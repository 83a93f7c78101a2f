"""Stored files: objects in a bucket that somebody can download."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.postgres.indexes import GinIndex
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.models.deletion import Deletion
from jobs.models.file_queryset import FileQuerySet
from jobs.models.file_role import Role

MIN_FILE_ID, MAX_FILE_ID = 10_000, 100_000_000
MAX_PATH_CHARS = 1024  # of a key in S3, and of a name with its folders


class StoredFile(models.Model):
    """One object in a bucket: a file of the catalogue, an artifact, an upload or a preview."""

    Role = Role

    file_id = models.PositiveIntegerField(unique=True, null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="files",
        help_text="A user: only they see it. Without an owner and a group, everybody does.",
    )
    group = models.ForeignKey(  # without an index of its own: another begins with it
        Group,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Only its members see the file.",
    )
    # A bucket of the setting BUCKETS; empty: the service's own.
    bucket = models.CharField(max_length=63, blank=True, default="", db_default="")
    key = models.CharField(max_length=MAX_PATH_CHARS)
    name = models.CharField(max_length=MAX_PATH_CHARS)  # may have folders: 2026/05/a.pdf
    content_type = models.CharField(max_length=100)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    crc32 = models.PositiveBigIntegerField()
    # Of the object when it was read, if it was registered.
    etag = models.CharField(max_length=100, blank=True, default="", db_default="")
    missing_since = models.DateTimeField(  # when it was noticed that the object is gone
        null=True, blank=True
    )
    made_by = models.ForeignKey(
        "DownloadJob", models.PROTECT, null=True, blank=True, related_name="files"
    )
    role = models.CharField(max_length=20, default=Role.CATALOGUE)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    deletion = models.ForeignKey(  # not null: its owner deleted it, or its job
        Deletion, models.DO_NOTHING, null=True, blank=True, related_name="files", db_index=False,
        db_constraint=False,
    )  # fmt: skip

    objects = FileQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        # Only files with a number: most artifacts, which are many more, have none.
        indexes = [
            models.Index(
                F("file_id").desc(),
                name="file_of_all", condition=Q(owner=None, group=None, file_id__isnull=False),
            ),
            models.Index(
                F("owner"), F("file_id").desc(),
                name="file_of_owner", condition=Q(owner__isnull=False, file_id__isnull=False),
            ),
            models.Index(
                F("group"), F("file_id").desc(),
                name="file_of_group", condition=Q(group__isnull=False, file_id__isnull=False),
            ),
            models.Index(
                "owner", "sha256",
                name="file_the_same", condition=Q(owner__isnull=False, file_id__isnull=False),
            ),
            models.Index(
                "expires_at",
                name="file_not_kept", condition=Q(role__in=[Role.UPLOAD, Role.QUARANTINED]),
            ),
            models.Index("deletion", name="file_deleted", condition=Q(deletion__isnull=False)),
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
            models.CheckConstraint(
                name="file_of_owner_or_group", condition=Q(owner=None) | Q(group=None)
            ),
            # Keys in the order of their bytes, in which stores list them.
            models.UniqueConstraint(
                fields=["key", "bucket"],
                opclasses=["varchar_pattern_ops", "varchar_ops"],
                name="file_key_in_bucket",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def base_name(self) -> str:
        """The name without its folders."""
        return self.name.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folders before the name: `2026/05`, or empty."""
        return self.name.rpartition("/")[0]

    @property
    def is_registered(self) -> bool:
        """Whether the object was there before its row: the service never deletes it."""
        return self.role == Role.CATALOGUE

    def take_number(self) -> None:
        """Assign a file id, by which bundles can include it. The caller saves the row."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('jobs_file_number')")
            (self.file_id,) = cursor.fetchone()
