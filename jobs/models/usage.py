"""How much room an owner's files take up, without reading all of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Usage(models.Model):
    """The sum of an owner's stored files. Triggers on their table keep it: see migration 0009.

    Without a row it is 0. What a trigger changes is exact once its transaction is over.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+"
    )
    stored_bytes = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "usage"

    def __str__(self) -> str:
        return f"{self.stored_bytes} bytes of {self.owner_id}"
