"""What an owner deleted a moment ago, and can still restore. See engine/deletions.py."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

UNDO = timedelta(seconds=10)
# An undo that was sent in time may arrive late. What is deleted for good is older than both.
GRACE = timedelta(seconds=5)


class DeletionQuerySet(models.QuerySet["Deletion"]):
    def can_be_undone(self, owner_id: int) -> Self:
        """Return the owner's deletions that can still be undone."""
        return self.filter(owner=owner_id, created_at__gt=Now() - UNDO - GRACE)

    def due(self) -> Self:
        """Return the deletions that can no longer be undone, the oldest first."""
        return self.filter(created_at__lte=Now() - UNDO - GRACE).order_by("due_at")


class Deletion(models.Model):
    """Jobs and files that one request deleted. Their rows refer to it until they are deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    count = models.PositiveIntegerField(default=0)  # of jobs and files
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())  # later, after an error

    objects = DeletionQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.id)

    @property
    def undo_until(self) -> datetime:
        return self.created_at + UNDO
