"""Sum up what happened to jobs, for charts, rates and metrics. The dispatcher calls it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db.models.functions import Now

from jobs.lib.database import database_time
from jobs.models import FinishedCount, JobEvent, JobStatistics, ServiceProcess
from jobs.models.service_process import FORGOTTEN_AFTER

OVERLAP = timedelta(minutes=3)  # recorded again, because a transaction may commit late
STEP = timedelta(hours=6)  # in one statement
MAX_BACK = timedelta(days=7)  # after the service was down, or before its first release with this
COUNT_EVERY_SECONDS = 60.0
COUNT_SHARE = 0.01  # of the time, at most, is spent on counting
MERGE_EVERY_SECONDS = 3600.0


class StatisticsRecorder:
    """Records recent minutes; counts finished jobs and merges old minutes now and then."""

    __name__ = "record_statistics"  # as functions have one

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._count_at = self._merge_at = 0.0

    def __call__(self) -> int:
        now = database_time()
        self._record(now)
        if time.monotonic() >= self._count_at:
            self._count()
            ServiceProcess.objects.filter(seen_at__lt=Now() - FORGOTTEN_AFTER).delete()
        if time.monotonic() >= self._merge_at:
            JobStatistics.objects.merge(now)
            self._merge_at = time.monotonic() + MERGE_EVERY_SECONDS
        return 0

    def _record(self, now: datetime) -> None:
        """Record all minutes until now."""
        this_minute = now.replace(second=0, microsecond=0)
        if self._since is None:
            self._since = max(_first_to_record() or this_minute, this_minute - MAX_BACK)
        self._since = min(self._since, this_minute - OVERLAP)
        while self._since < now:
            until = min(self._since + STEP, now)
            JobStatistics.objects.record(self._since, until)
            if until == now:
                return
            self._since = until

    def _count(self) -> None:
        started = time.monotonic()
        FinishedCount.objects.refresh()
        took = time.monotonic() - started
        self._count_at = time.monotonic() + max(COUNT_EVERY_SECONDS, took / COUNT_SHARE)


def _first_to_record() -> datetime | None:
    """Return the last recorded minute, or that of the first event if there is none."""
    if newest := JobStatistics.objects.order_by("-start").first():
        return newest.start
    first = JobEvent.objects.order_by("id").first()
    return first.at.replace(second=0, microsecond=0) if first else None
