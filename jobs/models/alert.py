"""The alerts that were sent to operators: see jobs/notifications/alert_rules.py."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Alert(models.Model):
    """One alert, from when its rule first held until it was resolved."""

    rule = models.CharField(max_length=50)
    subject = models.CharField(max_length=100, blank=True)  # such as a kind or a worker
    sentence = models.CharField(max_length=500)  # as it was last seen
    since = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    notified_at = models.DateTimeField(null=True)  # when operators were notified
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], name="alert_once", condition=Q(resolved_at=None)
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}".strip()
