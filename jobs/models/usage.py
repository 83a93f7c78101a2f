"""The storage that each owner uses, kept as a sum."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Usage(models.Model):
    """Total size of an owner's stored files, maintained by triggers (migration 0009).

    No row means 0. The sum is exact once the transaction that changes files has ended.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+"
    )
    stored_bytes = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "usage"

    def __str__(self) -> str:
        return f"{self.stored_bytes} bytes of {self.owner_id}"
