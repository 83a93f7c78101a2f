"""API keys, by which programs authenticate without a password. jobs/engine/api_keys.py makes them.

Only the digest of a key is stored. A fast hash is right for it: unlike a password, a key has 214
random bits, which nobody can guess, however many guesses a second there are.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

KEY = re.compile("dlk_[A-Za-z0-9]{36}", re.ASCII)
MARK = "dlk_"
CHARACTERS = string.ascii_letters + string.digits
SHOWN_CHARS = 10  # of a key, to recognize it: its mark and six others
USE_RECORDED_EVERY = timedelta(minutes=1)


class KeyScope(models.TextChoices):
    """What a key may do. Each scope is separate: `start` does not include `read`."""

    READ = "read", "Read"
    START = "start", "Start"
    UPLOAD = "upload", "Upload"
    ADMIN = "admin", "Administer"


def new_key() -> str:
    """Return a random key, of letters and digits, so that a double click selects all of it."""
    return MARK + "".join(secrets.choice(CHARACTERS) for _ in range(36))


def key_digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def listed(self) -> Self:
        """Return the keys that were not revoked, the newest first. Some may have expired."""
        return self.filter(revoked_at=None).order_by("-created_at", "-id")

    def usable(self) -> Self:
        """Return the keys that are accepted now. asgi/key_statements.py says the same in SQL."""
        now = Q(expires_at=None) | Q(expires_at__gt=Now())
        return self.filter(now, revoked_at=None, owner__is_active=True)

    def revoke(self) -> int:
        """Revoke the keys. Return how many were not revoked before."""
        return self.filter(revoked_at=None).update(revoked_at=Now())

    def record_use(self, digest: str) -> None:
        """Record that a key is used now, unless that was recorded within the last minute."""
        old = Q(last_used_at=None) | Q(last_used_at__lt=Now() - USE_RECORDED_EVERY)
        self.filter(old, digest=digest).update(last_used_at=Now())


class ApiKey(models.Model):
    """One key. A revoked key stays, so that operators can see what it was.

    Jobs that it starts notify `webhook`, if there is one, instead of that in the owner's settings.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField("key", max_length=SHOWN_CHARS)  # the first characters of the key
    digest = models.CharField(max_length=64)  # SHA-256, in hexadecimal
    scopes = ArrayField(models.CharField(max_length=10, choices=KeyScope.choices))
    webhook = models.URLField(max_length=2000, blank=True)
    webhook_secret = models.CharField(max_length=80, blank=True)  # signs requests to `webhook`
    created_at = models.DateTimeField("created", db_default=Now())
    expires_at = models.DateTimeField("expires", null=True, blank=True)
    last_used_at = models.DateTimeField("last used", null=True)  # to the minute
    revoked_at = models.DateTimeField("revoked", null=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint("digest", name="api_key_digest"),
            models.CheckConstraint(name="api_key_has_scopes", condition=Q(scopes__len__gt=0)),
            models.CheckConstraint(
                name="api_key_webhook_has_secret",
                condition=Q(webhook="") | ~Q(webhook_secret=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()
