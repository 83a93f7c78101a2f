"""The outbox: who is to hear of what, and whether they did."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.models.event import JobEvent
from jobs.states import Actor, Status

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob

OUTBOX = uuid.UUID("8f1c3a52-6c0e-4a77-9a1b-0d5b7f0c2f6e")  # what the ids of its rows are made in


class NotificationQuerySet(models.QuerySet["Notification"]):
    def tell_the_end(self, job: DownloadJob, event: JobEvent) -> None:
        """Written with the move that ended the job, in its transaction: both are there, or none.

        Nobody gets a mail about what they did themselves.
        """
        told = outcome(job)
        if job.email and not (job.status == Status.CANCELLED and event.by == Actor.OWNER):
            self._put(Notification.Channel.EMAIL, job.owner.email, event, told)
        if job.webhook:
            self._put(Notification.Channel.WEBHOOK, job.webhook, event, told)

    def _put(self, channel: str, to: str, event: JobEvent, told: dict[str, Any]) -> None:
        self.create(
            pk=uuid.uuid5(OUTBOX, f"{event.pk} {channel}"),
            owner=event.job.owner,
            job=event.job,
            channel=channel,
            to=to,
            content=told,
        )


class Notification(models.Model):
    """One message to one address. Its id is the message's own, however often it is sent."""

    class Channel(models.TextChoices):
        EMAIL = "email"
        WEBHOOK = "webhook"
        OPERATORS = "operators"  # a mail to all of them, of what failed lately

    class State(models.TextChoices):
        WAITING = "waiting"  # to be sent, perhaps again
        SENT = "sent"
        FAILED = "failed"  # no try is left, or another would not help

    id = models.UUIDField(primary_key=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="notifications"
    )
    job = models.ForeignKey("DownloadJob", models.CASCADE, null=True, related_name="notifications")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    to = models.CharField(max_length=2000, blank=True)  # an address of mail or of the web
    content = models.JSONField()  # what it tells, as it was then
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())  # while it is being sent: when to give that up
    error = models.CharField(max_length=500, blank=True)  # of the last try
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(F("created_at").desc(), F("id"), name="notification_newest"),
            models.Index(
                "channel", "due_at", name="notification_due", condition=Q(state="waiting")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="notification_sent_has_sent_at",
                condition=Q(state="sent", sent_at__isnull=False)
                | (~Q(state="sent") & Q(sent_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} to {self.to}"


def outcome(job: DownloadJob) -> dict[str, Any]:
    """How the job ended, in the words of the API. No address of the file store is among them."""
    told = {
        "jobId": str(job.pk),
        "kind": job.kind,
        "userId": str(job.owner_id),
        "status": job.status,
        "fileName": job.name,
        "attempts": job.attempt,
        "createdAt": _moment(job.created_at),
        "startedAt": _moment(job.started_at),
        "finishedAt": _moment(job.finished_at),
    }
    if job.status == Status.FAILED:
        told |= {"error": job.error, "errorCode": job.error_code}
    if job.artifact:
        told |= {
            "size": job.artifact.size_bytes,
            "sha256": job.artifact.sha256,
            "contentType": job.artifact.content_type,
            "expiresAt": _moment(job.expires_at),
        }
        if job.artifact.file_id:
            told["fileId"] = job.artifact.file_id
    return told


def _moment(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
