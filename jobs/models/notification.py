"""The outbox: who is to hear of what, and whether they did.

Sending is another's business: jobs/notifications/.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.models.event import JobEvent
from jobs.models.job_queryset import SEARCHED
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

    def due(self, *channels: str) -> Self:
        waiting = self.filter(state=Notification.State.WAITING, due_at__lte=Now())
        return waiting.filter(channel__in=channels)

    def take(
        self, channel: str, *, lease: timedelta, spared: Iterable[int | None]
    ) -> Notification | None:
        """Begin the next try of what is due longest, unless its owner is `spared`.

        For `lease` nobody else begins another. Should the process die, that is what follows.
        """
        due = self.due(channel).exclude(owner__in=[id for id in spared if id])
        with transaction.atomic():
            found = due.order_by("due_at").select_for_update(skip_locked=True, of=("self",)).first()
            if found:
                self.filter(pk=found.pk).update(tries=F("tries") + 1, due_at=Now() + lease)
                found.refresh_from_db()  # its due_at tells this try from any other
        return found

    def settled(self) -> Self:
        return self.filter(state__in=[Notification.State.SENT, Notification.State.FAILED])

    def send_again(self) -> int:
        """As new, under the same ids; how many. What still waits is sent by itself."""
        return self.settled().update(
            state=Notification.State.WAITING, tries=0, due_at=Now(), sent_at=None, error=""
        )

    def newest(self) -> Self:
        """The newest SEARCHED of all, so that older ones cost nothing."""
        times = self.order_by("-created_at").values_list("created_at", flat=True)
        edge = list(times[SEARCHED - 1 : SEARCHED])
        return self.filter(created_at__gte=edge[0]) if edge else self


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
            models.Index(F("owner"), F("created_at").desc(), name="notification_newest_of_owner"),
            models.Index(
                "channel", "due_at", name="notification_due", condition=Q(state="waiting")
            ),
            models.Index(
                F("created_at").desc(),
                name="notification_to_operators",
                condition=Q(channel="operators"),
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
        return f"{self.get_channel_display()} to {self.place}"

    @property
    def place(self) -> str:
        """The mail address, or a webhook's host: the path is often a secret."""
        if self.channel != self.Channel.WEBHOOK:
            return self.to
        try:
            return urlsplit(self.to).hostname or "-"
        except ValueError:
            return "-"

    def was_sent(self) -> None:
        """Record it; as below, unless another try has begun or this was recorded before."""
        self._settle(state=self.State.SENT, sent_at=Now(), error="")

    def was_not_sent(self, sentence: str, *, again_in_seconds: int | None) -> None:
        """Record why, and when the next try is due; None: there is none."""
        if again_in_seconds is None:
            self._settle(state=self.State.FAILED, error=sentence)
        else:
            self._settle(due_at=Now() + timedelta(seconds=again_in_seconds), error=sentence)

    def _settle(self, **outcome: Any) -> None:
        # One conditional UPDATE. A try whose lease was over before it ended changes nothing.
        mine = Notification.objects.filter(
            pk=self.pk, state=self.State.WAITING, tries=self.tries, due_at=self.due_at
        )
        mine.update(**outcome)


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
