"""Mail operators about failed jobs, at a limited rate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet

from jobs.errors import DEPENDENCY_FAILED
from jobs.lib.database import try_transaction_lock
from jobs.models import DownloadJob, Notification
from jobs.states import Status

LOCK = (2, 0)
FIRST_PERIOD = timedelta(hours=1)  # which the very first mail covers
COMMIT_DELAY = timedelta(seconds=3)  # rows have the time at which their transaction began
EXAMPLES = 5

Jobs = QuerySet[DownloadJob]


def notify_operators() -> int:
    """Queue one mail about all jobs that failed since the last one. Return how many mails.

    The first failure is sent at once; the next mail follows after OPERATOR_MAIL_EVERY_SECONDS.
    """
    if not settings.OPERATOR_EMAILS:
        return 0
    with transaction.atomic():
        now, is_locked = try_transaction_lock(LOCK)
        last = _last_mail_at()
        interval = timedelta(seconds=settings.OPERATOR_MAIL_EVERY_SECONDS)
        if not is_locked or (last and now - last < interval):
            return 0
        since, until = (last or now - FIRST_PERIOD) - COMMIT_DELAY, now - COMMIT_DELAY
        failed = DownloadJob.objects.filter(
            status=Status.FAILED, finished_at__gt=since, finished_at__lte=until
        )
        if not failed.exists():
            return 0
        Notification.objects.create(
            pk=uuid4(),
            channel=Notification.Channel.OPERATORS,
            to=", ".join(settings.OPERATOR_EMAILS),
            content=_content(failed, since),
        )
    return 1


def _last_mail_at() -> datetime | None:
    mails = Notification.objects.filter(channel=Notification.Channel.OPERATORS)
    return mails.order_by("-created_at").values_list("created_at", flat=True).first()


def _content(failed: Jobs, since: datetime) -> dict[str, Any]:
    codes = _codes(failed)
    return {
        "count": sum(each["count"] for each in codes),
        "since": since.isoformat(),
        "codes": codes,
        "examples": _examples(failed, codes[:EXAMPLES]),
    }


def _codes(failed: Jobs) -> list[dict[str, Any]]:
    """Count failures by code and kind. The most frequent come first, failed dependencies last."""
    found: dict[str, dict[str, int]] = {}
    counted = failed.order_by("kind").values_list("error_code", "kind").annotate(Count("pk"))
    for code, kind, count in counted:
        found.setdefault(code, {})[kind] = count
    codes = [
        {"code": code, "count": sum(kinds.values()), "kinds": kinds}
        for code, kinds in found.items()
    ]
    return sorted(codes, key=lambda c: (c["code"] == DEPENDENCY_FAILED, -c["count"], c["code"]))


def _examples(failed: Jobs, codes: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the newest job of each code."""
    newest = [failed.filter(error_code=each["code"]).latest("finished_at") for each in codes]
    return [
        {"jobId": str(job.pk), "fileName": job.name, "kind": job.kind, "errorCode": job.error_code}
        for job in newest
    ]
