"""Families of refresh tokens that were revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

MARGIN = timedelta(hours=1)  # for a token that is being renewed at that moment


class EndedTokenFamilyQuerySet(models.QuerySet["EndedTokenFamily"]):
    def end(self, family: str) -> None:
        """Revoke all tokens of the family. Idempotent."""
        lifetime: Any = settings.SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]
        expires_at = timezone.now() + lifetime + MARGIN
        self.get_or_create(family=family, defaults={"expires_at": expires_at})


class EndedTokenFamily(models.Model):
    """The refresh tokens of one sign-in, all revoked.

    `family` is the id (jti) of the first. The row is deleted when all of them have expired.
    """

    family = models.CharField(primary_key=True, max_length=255)
    expires_at = models.DateTimeField()

    objects = EndedTokenFamilyQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("expires_at", name="token_family_expires")]

    def __str__(self) -> str:
        return self.family
