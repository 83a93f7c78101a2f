"""Helpers for the outbox: end jobs, and run single delivery attempts in this thread."""

from __future__ import annotations

import math
from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone

from jobs.models import DownloadJob, Notification
from jobs.notifications import account_mails, mail, send_notification, webhook
from jobs.notifications.senders import LEASE
from jobs.states import Actor, Status
from tests.factories import ArtifactFactory, JobFactory

SITE = "https://downloads.example.com"
SENDS = {
    "email": mail.send_mail_message,
    "account": account_mails.send_account_mail,
    "operators": mail.send_mail_message,
    "webhook": webhook.send_webhook,
}


def running(owner: User, **fields: Any) -> DownloadJob:
    """Create a claimed job."""
    job: DownloadJob = JobFactory(owner=owner, **fields)
    job.claim(task_id="task-1", worker="worker@test")
    return job


def complete(job: DownloadJob) -> None:
    job.succeed(ArtifactFactory.build(owner=job.owner, made_by=job, name=job.name, file_id=None))


def completed(owner: User, **fields: Any) -> DownloadJob:
    job = running(owner, **fields)
    complete(job)
    return job


def failed(owner: User, code: str = "timeout", **fields: Any) -> DownloadJob:
    job = running(owner, **fields)
    job.fail(code, "It took longer than 300 s.")
    return job


def cancelled(owner: User, **fields: Any) -> DownloadJob:
    job = running(owner, **fields)
    job.cancel(Actor.OPERATOR)
    return job


ENDS = {Status.COMPLETED: completed, Status.FAILED: failed, Status.CANCELLED: cancelled}


def only(job: DownloadJob) -> Notification:
    """Return the only notification of the job."""
    return Notification.objects.get(job=job)


def attempt(row: Notification) -> Notification:
    """Run one delivery attempt, even before it is due. Returns the row."""
    Notification.objects.filter(pk=row.pk).update(due_at=Now())
    others = Notification.objects.exclude(pk=row.pk)
    others.filter(channel=row.channel).update(due_at=timezone.now() + LEASE)
    taken = Notification.objects.take(row.channel, lease=LEASE, spared=[])
    assert taken == row
    send_notification(taken, SENDS[row.channel])
    row.refresh_from_db()
    return row


def wait_seconds(row: Notification) -> float:
    """Return the seconds until the next attempt, rounded up to tens for busy machines."""
    return 10 * math.ceil((row.due_at - timezone.now()).total_seconds() / 10)
