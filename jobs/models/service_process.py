"""The workers and dispatchers that are running, as they report themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

REPORT_SECONDS = 5.0
NOT_RESPONDING_AFTER = timedelta(
    seconds=20
)  # a process that has not reported since is not responding
FORGOTTEN_AFTER = timedelta(minutes=15)


class ServiceProcessQuerySet(models.QuerySet["ServiceProcess"]):
    def report(self, role: str, name: str, **values: Any) -> None:
        """Record that the process is running. `started_at` is kept from its first report."""
        self.update_or_create(role=role, name=name, defaults=values | {"seen_at": Now()})

    def forget(self, role: str, name: str) -> None:
        """Delete the row of a process that stops in order."""
        self.filter(role=role, name=name).delete()

    def responding(self) -> Self:
        return self.filter(seen_at__gte=Now() - NOT_RESPONDING_AFTER)

    def not_responding(self) -> Self:
        """Return the processes that ended without saying so, or that hang."""
        return self.filter(seen_at__lt=Now() - NOT_RESPONDING_AFTER)


class ServiceProcess(models.Model):
    """A worker or a dispatcher. One that stops in order deletes its row."""

    class Role(models.TextChoices):
        WORKER = "worker"
        DISPATCHER = "dispatcher"

    role = models.CharField(max_length=10, choices=Role.choices)
    name = models.CharField(max_length=100)  # a worker's is in `DownloadJob.worker`
    queues = ArrayField(models.CharField(max_length=100), default=list)
    slots = models.PositiveIntegerField(default=0)  # jobs that it can run at once now
    max_slots = models.PositiveIntegerField(default=0)  # with --autoscale
    memory_bytes = models.BigIntegerField(default=0)  # of the process and its children
    tick_seconds = models.FloatField(default=0)  # a dispatcher's: the longest lately
    scratch_free = models.FloatField(default=1)  # share of the disk with its scratch folders
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    objects = ServiceProcessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "service processes"
        constraints = [
            models.UniqueConstraint(fields=["role", "name"], name="service_process_once")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.name}"
