"""The history of jobs."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from jobs.states import Actor, Event


class JobEvent(models.Model):
    """One line of a job's history. Written with the move it tells of, never changed."""

    job = models.ForeignKey("DownloadJob", models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now())
    event = models.CharField(max_length=12, choices=Event.choices)
    by = models.CharField(max_length=12, choices=Actor.choices)
    attempt = models.PositiveIntegerField()
    code = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)  # for operators: a worker's name, a traceback

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_event_display()}, attempt {self.attempt}"
