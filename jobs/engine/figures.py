"""The figures about the whole service that metrics and alerts are made of.

Each function runs one query that an index answers, also with a million jobs; more if messages fail.
"""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Extract, Now

from jobs.models import (
    IncomingUpload,
    JobStatistics,
    Notification,
    ServiceProcess,
    StoredFile,
    Usage,
)
from jobs.models.job_statistics import BUCKETS, COUNTED, TIMED
from jobs.models.service_process import NOT_RESPONDING_AFTER

NEARLY_FULL = 0.9  # of an owner's quota
USED_KEPT_SECONDS = 60.0
FAILING_OWNERS = 3  # whose webhooks fail


class Histogram(NamedTuple):
    counts: list[int]  # by bucket of job_statistics.BOUNDS; the last one has all that took longer
    seconds: float  # the sum of all values


class KindTotals(NamedTuple):
    """What happened to the jobs of a kind, since the first one or in a period."""

    counts: dict[str, int]  # by column of COUNTED
    times: dict[str, Histogram]  # by column of TIMED

    @property
    def ended(self) -> int:
        return self.counts["completed"] + self.counts["failed"]


def totals_by_kind(since: timedelta | None = None) -> dict[str, KindTotals]:
    """Return the sums of each kind: of a period that ends now, or of all time."""
    rows = JobStatistics.objects.order_by()
    if since:
        rows = rows.filter(start__gte=Now() - since)
    sums = {name: Sum(name) for name in COUNTED}
    for name in TIMED:
        sums[f"{name}_sum"] = Sum(f"{name}_seconds")
        sums |= {f"{name}_{number}": Sum(f"{name}__{number}") for number in range(BUCKETS)}
    found: Any = rows.values("kind").annotate(**sums)
    return {row["kind"]: _totals(row) for row in found}


def _totals(row: dict[str, Any]) -> KindTotals:
    times = {
        name: Histogram(
            [row[f"{name}_{number}"] or 0 for number in range(BUCKETS)], row[f"{name}_sum"] or 0.0
        )
        for name in TIMED
    }
    return KindTotals({name: row[name] or 0 for name in COUNTED}, times)


class Outbox(NamedTuple):
    waiting: int
    due: int
    oldest_due_seconds: float  # how long the oldest is overdue


def outbox_by_channel() -> dict[str, Outbox]:
    """Return the messages that wait to be sent, by channel."""
    waiting = Notification.objects.order_by().filter(state=Notification.State.WAITING)
    overdue = Extract(Now() - Min("due_at"), "epoch")
    due = Count("pk", Q(due_at__lte=Now()))
    found: Any = waiting.values("channel").annotate(waiting=Count("pk"), due=due, overdue=overdue)
    rows = {
        row["channel"]: Outbox(row["waiting"], row["due"], max(row["overdue"], 0.0))
        for row in found
    }
    return {
        channel: rows.get(channel, Outbox(0, 0, 0.0)) for channel in Notification.Channel.values
    }


def failing_messages() -> dict[str, int]:
    """Return the messages that failed at least twice, by channel, where none was sent since.

    Owners' webhooks count if those of several owners fail: otherwise it is their receiver.
    """
    failing = Notification.objects.order_by().waiting().filter(tries__gte=2).exclude(error="")
    found: Any = failing.values("channel", to_operators=Q(owner=None)).annotate(
        count=Count("pk"), owners=Count("owner", distinct=True), first=Min("created_at")
    )
    counts: dict[str, int] = {}
    for row in found:
        channel, to_operators = row["channel"], row["to_operators"]
        is_webhook = channel == Notification.Channel.WEBHOOK
        if is_webhook and not to_operators and row["owners"] < FAILING_OWNERS:
            continue
        sent = Notification.objects.order_by().filter(
            channel=channel,
            owner__isnull=to_operators,
            state=Notification.State.SENT,
            created_at__gt=row["first"],
        )
        if not sent.exists():
            counts[channel] = counts.get(channel, 0) + row["count"]
    return counts


class Processes(NamedTuple):
    responding: int
    not_responding: int
    slots: int  # jobs that those can run at once
    tick_seconds: float  # the longest of a dispatcher lately
    scratch_free: float  # the share of the fullest disk with scratch folders
    seen_seconds_ago: float | None  # the last report of any; None if there never was one


def processes_by_role() -> dict[str, Processes]:
    """Return the workers and the dispatchers that have reported in the last day."""
    responds = Q(seen_at__gte=Now() - NOT_RESPONDING_AFTER)
    found: Any = (
        ServiceProcess.objects.order_by()
        .values("role")
        .annotate(
            responding=Count("pk", responds),
            not_responding=Count("pk", ~responds),
            slots_now=Sum("slots", filter=responds),
            tick=Max("tick_seconds", filter=responds),
            free=Min("scratch_free", filter=responds),
            seen=Extract(Now() - Max("seen_at"), "epoch"),
        )
    )
    rows = {
        row["role"]: Processes(
            row["responding"],
            row["not_responding"],
            row["slots_now"] or 0,
            row["tick"] or 0.0,
            1.0 if row["free"] is None else row["free"],
            row["seen"],
        )
        for row in found
    }
    return {
        role: rows.get(role, Processes(0, 0, 0, 0.0, 1.0, None)) for role in ServiceProcess.Role
    }


_store_used = (-math.inf, 0)  # when it was summed up, and the bytes


def store_used_bytes() -> int:
    """Return the bytes of all files and unfinished uploads, at most a minute old."""
    global _store_used
    at, used = _store_used
    if time.monotonic() - at > USED_KEPT_SECONDS:
        used = StoredFile.objects.in_own_bucket().bytes() + IncomingUpload.objects.bytes()
        _store_used = time.monotonic(), used
    return used


class Storage(NamedTuple):
    staff_bytes: int
    user_bytes: int
    owners_near_quota: int

    @property
    def stored_bytes(self) -> int:
        return self.staff_bytes + self.user_bytes


def owners_storage() -> Storage:
    """Return the bytes that owners have stored, without the files of the public catalogue."""
    limit = settings.OWNER_STORAGE_BYTES
    near = Q(stored_bytes__gte=NEARLY_FULL * limit) if limit else Q(pk__in=[])
    found = Usage.objects.aggregate(
        staff=Sum("stored_bytes", filter=Q(owner__is_staff=True)),
        users=Sum("stored_bytes", filter=Q(owner__is_staff=False)),
        near=Count("pk", near),
    )
    return Storage(found["staff"] or 0, found["users"] or 0, found["near"])
