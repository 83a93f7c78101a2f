"""Which account somebody has who signs in through a provider of OpenID Connect."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Now

from jobs.lib.accounts import account_named, username_field

MAX_CHARS = 255  # of a subject, as the standard has it
TRIES = 5


class OidcIdentityManager(models.Manager["OidcIdentity"]):
    def account(self, *, issuer: str, subject: str, username: str) -> User:
        """Return the account of the subject; create it when the subject signs in first.

        Never an account that was there before: its name or address proves nothing. If the name is
        taken, the new account is `name-2`. Raises ValidationError for an invalid name.
        """
        for _ in range(TRIES):
            if known := self._known(issuer, subject):
                return known
            try:
                return self._create(issuer, subject, username)
            except IntegrityError:
                continue  # created at the same moment, or its name was taken
        raise ValidationError("no account could be created")

    def _known(self, issuer: str, subject: str) -> User | None:
        found = self.filter(issuer=issuer, subject=subject).select_related("user").first()
        return found.user if found else None

    def _create(self, issuer: str, subject: str, username: str) -> User:
        user: Any = get_user_model()(**{username_field(): _free_username(username)})
        user.set_unusable_password()
        user.clean_fields(exclude=["password"])
        with transaction.atomic():
            user.save()
            self.create(issuer=issuer, subject=subject, user=user)
        found: User = user
        return found


def _free_username(name: str) -> str:
    numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(each for each in numbered if account_named(each) is None)


class OidcIdentity(models.Model):
    """A subject of an issuer. Operators may add a row, so that an account keeps its downloads."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="oidc_identities"
    )
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=MAX_CHARS)
    created_at = models.DateTimeField(db_default=Now())

    objects = OidcIdentityManager()

    class Meta:
        verbose_name = "OpenID Connect identity"
        verbose_name_plural = "OpenID Connect identities"
        constraints = [
            models.UniqueConstraint(
                models.F("issuer"), models.F("subject"), name="oidc_identity_is_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"
