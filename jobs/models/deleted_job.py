"""Jobs that an operator deleted, until their objects are deleted: see engine/garbage.py."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class DeletedJob(models.Model):
    """What finding the objects of a deleted job takes. It names nobody."""

    id = models.UUIDField(primary_key=True)  # of the job
    kind = models.CharField(max_length=50)
    size_bytes = models.BigIntegerField()
    finished_at = models.DateTimeField()
    collect_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["collect_at"], name="deleted_job_to_collect")]

    def __str__(self) -> str:
        return str(self.id)
