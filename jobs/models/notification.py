"""The outbox: mails and webhooks to send, and whether they were. jobs/notifications/ sends them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.lib.names import MISLEADING
from jobs.models.event import JobEvent
from jobs.models.newest import SEARCHED, NewestQuerySet
from jobs.states import Actor, Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.models.job import DownloadJob

MAX_RESPONSE_CHARS = 500  # of the body of a receiver's response
OUTBOX = uuid.UUID("8f1c3a52-6c0e-4a77-9a1b-0d5b7f0c2f6e")  # namespace of the ids of its rows


class AccountNotice(models.TextChoices):
    """What a mail about an account is about. Its label is the subject."""

    CONFIRM_EMAIL = "confirm_email", "Confirm your email address"
    EMAIL_CHANGED = "email_changed", "Your email address was changed"
    PASSWORD_CHANGED = "password_changed", "Your password was changed"
    PASSWORD_RESET = "password_reset", "Reset your password"


class NotificationQuerySet(NewestQuerySet["Notification"]):
    def record_outcome(self, job: DownloadJob, event: JobEvent) -> None:
        """Add the job's mail and webhook, in the transaction that ended the job.

        An owner who cancels a job gets no mail about that.
        """
        content = notification_outcome(job)
        if job.email and not (job.status == Status.CANCELLED and event.by == Actor.OWNER):
            self._put(Notification.Channel.EMAIL, job.owner.email, event, content)
        if job.webhook:
            self._put(Notification.Channel.WEBHOOK, job.webhook, event, content)

    def _put(self, channel: str, to: str, event: JobEvent, content: dict[str, Any]) -> None:
        self.create(
            pk=uuid.uuid5(OUTBOX, f"{event.pk} {channel}"),
            owner=event.job.owner,
            job=event.job,
            channel=channel,
            to=to,
            content=content,
        )

    def record_account_notice(
        self, notice: AccountNotice, *, to: str, owner: User | None = None, **content: str
    ) -> None:
        """Add a mail about an account. The row has no link: see notifications/account_mails.py."""
        self.create(
            pk=uuid.uuid4(),
            owner=owner,
            channel=Notification.Channel.ACCOUNT,
            to=to,
            content={"notice": notice.value} | content,
        )

    def due(self, *channels: str) -> Self:
        """Return the messages to send now."""
        return self.waiting().filter(due_at__lte=Now(), channel__in=channels)

    def waiting(self) -> Self:
        """Return the messages that are still to be sent, now or later."""
        return self.filter(state=Notification.State.WAITING)

    def take(
        self, channel: str, *, lease: timedelta, spared: Iterable[int | None]
    ) -> Notification | None:
        """Claim the message that is due longest; those of `spared` owners are left out.

        No other process claims it during `lease`. If this one dies, another tries again after that.
        """
        due = self.due(channel).exclude(owner__in=[id for id in spared if id])
        with transaction.atomic():
            found = due.order_by("due_at").select_for_update(skip_locked=True, of=("self",)).first()
            if found:
                self.filter(pk=found.pk).update(tries=F("tries") + 1, due_at=Now() + lease)
                found.refresh_from_db()  # its due_at identifies this try
        return found

    def settled(self) -> Self:
        """Return the messages that were sent or have failed for good."""
        return self.filter(state__in=[Notification.State.SENT, Notification.State.FAILED])

    def deliveries(self, owner: User) -> Self:
        """Return the owner's webhooks, newest first, among their newest SEARCHED notifications."""
        newest = self.filter(owner=owner).order_by("-created_at")[:SEARCHED]
        return self.filter(pk__in=newest.values("pk"), channel="webhook").order_by("-created_at")

    def send_again(self) -> int:
        """Queue settled messages again, under the same ids. Return how many."""
        return self.settled().update(
            state=Notification.State.WAITING, tries=0, due_at=Now(), sent_at=None, error=""
        )


class Notification(models.Model):
    """One message to one address. Its id stays the same however often it is sent."""

    class Channel(models.TextChoices):
        EMAIL = "email"
        WEBHOOK = "webhook"
        OPERATORS = "operators"  # one mail about recent failures, to all operators
        ALERT = "alert"  # a mail about a trouble, or its end, to all operators
        ACCOUNT = "account"  # a mail about the account itself

    class State(models.TextChoices):
        WAITING = "waiting"  # for its first or next try
        SENT = "sent"
        FAILED = "failed"  # no try is left, or the error is permanent

    id = models.UUIDField(primary_key=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="notifications"
    )
    job = models.ForeignKey("DownloadJob", models.CASCADE, null=True, related_name="notifications")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    to = models.CharField(max_length=2000, blank=True)  # a mail address or a URL
    content = models.JSONField()  # as it was when the job ended
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())  # while it is being sent: when the lease ends
    error = models.CharField(max_length=500, blank=True)  # of the last try
    # What the receiver of a webhook returned at the last try; the status is null if it did not.
    response_status = models.SmallIntegerField(null=True)
    response_text = models.CharField(
        max_length=MAX_RESPONSE_CHARS, blank=True, default="", db_default=""
    )
    response_seconds = models.FloatField(null=True)
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
        """Mail address, or the host of a webhook: its path is often a secret."""
        if self.channel != self.Channel.WEBHOOK:
            return self.to
        try:
            return urlsplit(self.to).hostname or "-"
        except ValueError:
            return "-"

    @property
    def event_type(self) -> str:
        """The type of the event that a webhook reports."""
        if "test" in self.content:
            return "webhook.test"
        if alert := self.content.get("alert"):
            return "alert.resolved" if alert["resolvedAt"] else "alert.firing"
        return f"job.{self.content['status']}"

    def set_response(self, status: int | None, body: bytes, seconds: float) -> None:
        """Set what the receiver returned; `mark_sent` and `mark_failed` save it."""
        text = body.decode(errors="replace").replace("\r\n", "\n")
        self.response_status = status
        self.response_text = MISLEADING.sub(_shown_control, text)[:MAX_RESPONSE_CHARS]
        self.response_seconds = round(seconds, 3)

    def mark_sent(self) -> None:
        """Record success, unless another try has started or the outcome is recorded already."""
        self._settle(state=self.State.SENT, sent_at=Now(), error="")

    def mark_failed(self, error: str, *, retry_in_seconds: int | None) -> None:
        """Record the error, and when to try again; None: never. The same conditions apply."""
        if retry_in_seconds is None:
            self._settle(state=self.State.FAILED, error=error)
        else:
            self._settle(due_at=Now() + timedelta(seconds=retry_in_seconds), error=error)

    def _settle(self, **outcome: Any) -> None:
        # One conditional UPDATE: a try that outlived its lease changes nothing.
        this_try = Notification.objects.filter(
            pk=self.pk, state=self.State.WAITING, tries=self.tries, due_at=self.due_at
        )
        this_try.update(
            **outcome,
            response_status=self.response_status,
            response_text=self.response_text,
            response_seconds=self.response_seconds,
        )


def _shown_control(found: re.Match[str]) -> str:
    return found[0] if found[0] in "\n\t" else "\N{REPLACEMENT CHARACTER}"


def notification_outcome(job: DownloadJob) -> dict[str, Any]:
    """Return how the job ended, with the names of the API and without a presigned URL."""
    content = {
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
        content |= {"error": job.error, "errorCode": job.error_code}
    if job.artifact:
        content |= {
            "size": job.artifact.size_bytes,
            "sha256": job.artifact.sha256,
            "contentType": job.artifact.content_type,
            "expiresAt": _moment(job.expires_at),
        }
        if job.artifact.file_id:
            content["fileId"] = job.artifact.file_id
    return content


def _moment(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
