"""Links by which anybody can download a file of their owner: until when, how often.

The link's token is a signature of its id (web/shared_links.py), so it is not stored, and its owner
can see it again.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from enum import StrEnum
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from jobs.models.stored_file import StoredFile
from jobs.states import Status


class LinkState(StrEnum):
    """Whether a link works, or why not."""

    ACTIVE = "active"
    REVOKED = "revoked"
    USED_UP = "used_up"
    EXPIRED = "expired"
    DELETED = "deleted"


class ShareLinkQuerySet(models.QuerySet["ShareLink"]):
    def usable(self) -> Self:
        """Return the links that are not revoked, expired or used up. Their file may be gone."""
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=Now()),
            Q(max_downloads=None) | Q(downloads__lt=F("max_downloads")),
            revoked_at=None,
        )

    def with_file(self) -> Self:
        """Read the file, its job and the owner in the same query."""
        return self.select_related("file", "job", "owner").defer("job__params", "job__metadata")

    def ended_before(self, kept: timedelta) -> Self:
        """Return the links that ended, or lost their file, longer ago than `kept`."""
        since = Now() - kept
        without_file = ~Exists(StoredFile.objects.filter(pk=OuterRef("file")))
        return self.filter(
            Q(revoked_at__lt=since)
            | Q(expires_at__lt=since)
            | Q(without_file, created_at__lt=since)
        )

    def of_job(self, job_id: uuid.UUID) -> Self:
        """Return the links to the files of a job, the newest first."""
        return self.with_file().filter(job=job_id)


class ShareLink(models.Model):
    """A link to one file. It ends with the file: a file that is made again needs a new link."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="share_links")
    # Without constraints: a job or a file that is deleted costs nothing more for its links.
    job = models.ForeignKey(
        "DownloadJob", models.DO_NOTHING, null=True, related_name="share_links", db_index=False,
        db_constraint=False,
    )  # fmt: skip
    file = models.ForeignKey(
        StoredFile, models.DO_NOTHING, null=True, related_name="+", db_index=False,
        db_constraint=False,
    )  # fmt: skip
    password = models.CharField(max_length=128, blank=True)  # hashed
    expires_at = models.DateTimeField(null=True)
    max_downloads = models.PositiveIntegerField(null=True)
    downloads = models.PositiveIntegerField(default=0)
    last_download_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = ShareLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index("job", F("created_at").desc(), name="share_link_of_job")]

    def __str__(self) -> str:
        return f"Link to {self.file.name if self.file else 'a deleted file'}"

    @property
    def state(self) -> LinkState:
        """Whether it works. Needs the relations of `with_file`."""
        if self.revoked_at or not self.owner.is_active:
            return LinkState.REVOKED
        if self.job and self.job.status == Status.EXPIRED and not self.job.deletion_id:
            return LinkState.EXPIRED
        if (
            self.file is None
            or self.file.deletion_id
            or self.file.missing_since
            or (self.job and self.job.deletion_id)
        ):
            return LinkState.DELETED
        now = timezone.now()
        if any(at and at <= now for at in (self.expires_at, self.file.expires_at)):
            return LinkState.EXPIRED
        return LinkState.USED_UP if self.downloads_left == 0 else LinkState.ACTIVE

    @property
    def downloads_left(self) -> int | None:
        """None without a limit."""
        return None if self.max_downloads is None else max(self.max_downloads - self.downloads, 0)

    def count_download(self) -> bool:
        """Count one download. Return False if the link has ended meanwhile.

        The UPDATE is conditional, so that there are never more than `max_downloads`.
        """
        changes = {"downloads": F("downloads") + 1, "last_download_at": Now()}
        return bool(ShareLink.objects.usable().filter(pk=self.pk).update(**changes))

    def revoke(self) -> None:
        """End the link. Idempotent."""
        ShareLink.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=Now())
