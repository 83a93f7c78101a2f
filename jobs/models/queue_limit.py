"""What operators decide about the queue: limits on running jobs, and pauses."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

MAX_REASON_CHARS = 200
TITLES = {"service": "Whole service", "kind": "Kind", "owner": "Owner", "key": "Key"}


class QueueLimitQuerySet(models.QuerySet["QueueLimit"]):
    def paused(self) -> Self:
        return self.filter(is_paused=True)

    def limiting_nothing(self) -> Self:
        """Return the rows without a limit or a pause, such as after a pause has ended."""
        return self.filter(is_paused=False, max_running=None)


class QueueLimit(models.Model):
    """How many jobs may run at once, of the whole service or of a part of it; and its pause.

    Claims read the rows each time, so that a change counts at once. Jobs that are running go on.
    """

    class Scope(models.TextChoices):
        SERVICE = "service", "the whole service"
        KIND = "kind", "one kind"
        OWNER = "owner", "one owner, or each without a limit of their own"
        KEY = "key", "one concurrency key, such as a remote host, or each without its own limit"

    scope = models.CharField(max_length=10, choices=Scope)
    # A kind or a concurrency key; empty: the whole service, or each key without its own limit.
    name = models.CharField(max_length=255, blank=True, default="", db_default="")
    # Null in the scope `owner`: each owner without a limit of their own.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    max_running = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no limit."
    )
    is_paused = models.BooleanField("paused", default=False, db_default=False)
    reason = models.CharField(
        max_length=MAX_REASON_CHARS,
        blank=True,
        default="",
        db_default="",
        help_text="The people who wait read it.",
    )
    changed_at = models.DateTimeField(auto_now=True)
    # The operator, if it was in the admin.
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    objects = QueueLimitQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "scope", "name", Coalesce("owner", 0), name="queue_limit_once",
                violation_error_message="There is a row for this already.",
            ),
            models.CheckConstraint(
                name="queue_limit_fits_its_scope",
                condition=Q(scope="service", name="", owner=None)
                | Q(scope="kind", owner=None) & ~Q(name="")
                | Q(scope="owner", name="")
                | Q(scope="key", owner=None),
                violation_error_message="The scope and what is limited do not fit together.",
            ),
            models.CheckConstraint(
                name="queue_limit_pauses_one",
                condition=Q(is_paused=False)
                | Q(scope__in=["service", "kind"])
                | Q(scope="owner", owner__isnull=False)
                | Q(scope="key") & ~Q(name=""),
                violation_error_message="Choose what to pause, or the whole service.",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        if not self.name and not self.owner_id and self.scope != self.Scope.SERVICE:
            return f"Each {self.scope}"
        return f"{TITLES[self.scope]} {self.name}{self.owner or ''}".strip()

    @property
    def can_be_paused(self) -> bool:
        """Return whether the row is about one thing: "each owner" has no pause."""
        return self.scope == self.Scope.SERVICE or bool(self.name or self.owner_id)

    @property
    def changed_by_text(self) -> str:
        return str(self.changed_by or "a command")
