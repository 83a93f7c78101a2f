"""Settings of an owner for all their jobs, and the priority that operators allow them."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.terms import USUAL_PRIORITY, Terms

SECRET_BYTES = 24


def new_secret() -> str:
    """Return a signing secret in the format of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def can_be_mailed(owner: User) -> bool:
    """Return whether the owner has an address and mail is set up."""
    return bool(owner.email) and settings.MAIL_IS_ON


class Preferences(models.Model):
    """Preferences of one owner. Without a row, the defaults apply."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preferences"
    )
    email = models.BooleanField("mail when done", default=False)
    # The owner's new address, until the link that was mailed to it is followed.
    unconfirmed_email = models.EmailField(blank=True, default="", db_default="")
    webhook = models.URLField(max_length=2000, blank=True)  # for every job; empty: off
    secret = models.CharField(max_length=80, default=new_secret)  # signs webhooks
    earlier_secret = models.CharField(
        max_length=80, blank=True
    )  # also signs, for a day after a change
    secret_changed_at = models.DateTimeField(null=True, blank=True)
    most_urgent = models.PositiveSmallIntegerField(
        "highest priority",
        null=True,
        blank=True,
        help_text="That the owner may ask for, from 0 to 9; empty: what everybody may.",
    )

    weight = models.FloatField(
        "share of the workers",
        default=1,
        db_default=1,
        validators=[MinValueValidator(0.01), MaxValueValidator(100)],
        help_text="While several owners wait, one with 2 gets twice the worker time of one with 1.",
    )

    class Meta:
        verbose_name_plural = "preferences"
        constraints = [
            models.CheckConstraint(
                name="preferences_weight_in_range", condition=Q(weight__gte=0.01, weight__lte=100)
            ),
            models.CheckConstraint(
                name="preferences_priority_in_range",
                condition=Q(most_urgent=None) | Q(most_urgent__lte=9),
            ),
        ]

    def __str__(self) -> str:
        return f"Preferences of {self.owner}"

    @classmethod
    def of(cls, owner: User) -> Self:
        """Return the owner's preferences, unsaved if they have no row."""
        preferences = cls.objects.filter(owner=owner).first() or cls()
        preferences.owner = owner  # this instance: a key may take away its rights
        return preferences

    def complete(self, terms: Terms) -> Terms:
        """Return the terms with defaults filled in. jobs_submit_1 does the same in SQL."""
        email = self.email and can_be_mailed(self.owner)
        priority = min(USUAL_PRIORITY, self.highest_priority)
        return replace(
            terms,
            email=email if terms.email is None else terms.email,
            webhook=self.webhook if terms.webhook is None else terms.webhook,
            priority=priority if terms.priority is None else terms.priority,
        )

    def change_secret(self, shown: str) -> bool:
        """Rotate the signing secret. For a day, webhooks are also signed with the old one.

        Return False, and change nothing, if `shown` is no longer the current secret.
        """
        rows = Preferences.objects.filter(pk=self.pk, secret=shown)
        changed = {"secret": new_secret(), "earlier_secret": shown, "secret_changed_at": Now()}
        return bool(rows.update(**changed))

    @property
    def highest_priority(self) -> int:
        """Return the highest priority that the owner may request."""
        if self.most_urgent is not None:
            return self.most_urgent
        return 9 if self.owner.is_staff else settings.MAX_PRIORITY
