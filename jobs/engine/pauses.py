"""Pause and resume parts of the queue. Admin and commands change limits with this.

A pause counts from its commit: claims read the rows. When a pause ends or a limit is raised, the
doorbells of the jobs that had to wait are used up. So this rings for them.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from jobs.engine.claims import ready_jobs
from jobs.engine.doorbell import log_lost_doorbells, send_doorbells
from jobs.kinds.registry import KINDS, queue_doorbell
from jobs.models import DownloadJob, QueueLimit
from jobs.models.queue_limit import QueueLimitQuerySet
from jobs.states import Status


def pause(limit: QueueLimit, *, reason: str = "", by: User | None = None) -> QueueLimit:
    """Pause what the limit, which may be unsaved, is about. Return its row.

    Without a reason, that of the row stays.
    """
    values = {"is_paused": True, "changed_by": by} | ({"reason": reason} if reason else {})
    row, _ = QueueLimit.objects.update_or_create(
        scope=limit.scope, name=limit.name, owner=limit.owner, defaults=values
    )
    return row


def resume(limits: QueueLimitQuerySet, *, by: User | None = None) -> list[QueueLimit]:
    """End the pauses among the limits, and their reasons. Return those rows.

    They stay for a while, without a limit, as the time of the change counts for alerts.
    """
    with transaction.atomic():
        rows = list(limits.paused().select_for_update(of=["self"]))
        changes = {"is_paused": False, "reason": "", "changed_at": Now(), "changed_by": by}
        QueueLimit.objects.filter(pk__in=[row.pk for row in rows]).update(**changes)
        ring_after_commit()
    return rows


def running_jobs(limit: QueueLimit) -> int:
    """Return how many jobs run of what the limit is about."""
    jobs = DownloadJob.objects.filter(status=Status.PROCESSING)
    of_scope: dict[str, dict[str, Any]] = {
        QueueLimit.Scope.SERVICE: {},
        QueueLimit.Scope.KIND: {"kind": limit.name},
        QueueLimit.Scope.OWNER: {"owner": limit.owner},
        QueueLimit.Scope.KEY: {"concurrency_key": limit.name},
    }
    return jobs.filter(**of_scope[limit.scope]).count()


def ring_after_commit() -> None:
    """Ring for the jobs that may start now, after the transaction commits. Never raises.

    If the broker is down, the dispatcher rings later.
    """
    transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    for queue in {kind.queue for kind in KINDS.values()}:
        bells = [queue_doorbell(queue, job) for job in ready_jobs(queue, settings.QUEUE_SHORT)]
        if bells:
            try:
                send_doorbells(bells)
            except Exception as error:  # whatever the broker's client raises
                log_lost_doorbells(bells, error)
