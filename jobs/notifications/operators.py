"""Failed jobs are the dead letters: what operators are told of them, not too often."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, QuerySet

from jobs.models import DownloadJob, Notification
from jobs.models.job import DEPENDENCY_FAILED
from jobs.states import Status

LOCK = (2, 0)  # the name of an advisory lock; those of owners begin with 1
LOOKED_BACK = timedelta(hours=1)  # where operators were never told before
COMMITTED = timedelta(seconds=3)  # after that a move is seen: it is dated when it began
EXAMPLES = 5

Jobs = QuerySet[DownloadJob]


def notify_operators() -> int:
    """Write one letter about all jobs that failed since the last one; how many letters.

    The first failure is told at once; those that follow wait for OPERATOR_MAIL_EVERY_SECONDS.
    """
    if not settings.OPERATOR_EMAILS:
        return 0
    with transaction.atomic():
        now, is_alone = _now_alone()
        last = _last_told_at()
        rest = timedelta(seconds=settings.OPERATOR_MAIL_EVERY_SECONDS)
        if not is_alone or (last and now - last < rest):
            return 0
        since, until = (last or now - LOOKED_BACK) - COMMITTED, now - COMMITTED
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


def _now_alone() -> tuple[datetime, bool]:
    """The transaction's time, and whether no other dispatcher is doing the same."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), pg_try_advisory_xact_lock(%s, %s)", LOCK)
        now, is_alone = cursor.fetchone()
    return now, is_alone


def _last_told_at() -> datetime | None:
    told = Notification.objects.filter(channel=Notification.Channel.OPERATORS)
    return told.order_by("-created_at").values_list("created_at", flat=True).first()


def _content(failed: Jobs, since: datetime) -> dict[str, Any]:
    codes = _codes(failed)
    return {
        "count": sum(each["count"] for each in codes),
        "since": since.isoformat(),
        "codes": codes,
        "examples": _examples(failed, codes[:EXAMPLES]),
    }


def _codes(failed: Jobs) -> list[dict[str, Any]]:
    """How many of each code and of which kinds. The most come first, and mere consequences last."""
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
    """The newest of each code."""
    newest = [failed.filter(error_code=each["code"]).latest("finished_at") for each in codes]
    return [
        {"jobId": str(job.pk), "fileName": job.name, "kind": job.kind, "errorCode": job.error_code}
        for job in newest
    ]
