"""What happened to the jobs of each kind, summed up by minute, later by hour and by day.

Charts, rates and metrics read these few rows instead of a million jobs. A counter is the sum over
all rows, so merging them into longer periods changes none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction

from jobs.errors.codes import WORKER_LOST
from jobs.states import Event, Status

# Upper bounds of the histograms, in seconds. What took longer is in one more bucket at the end.
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
BUCKETS = len(BOUNDS) + 1
# The events that are counted, by column.
COUNTED = {
    "submitted": Event.SUBMIT,
    "completed": Event.SUCCEED,
    "failed": Event.FAIL,
    "failed_with_dependency": Event.DEPENDENCY_FAILED,
    "cancelled": Event.CANCEL,
    "retried": Event.RETRY,
    "rescued": Event.RESCUE,
    "requeued": Event.REQUEUE,
    "expired": Event.EXPIRE,
}
# Also counted: the last loss of a job that lost its worker too often. It ends the job.
ALSO_COUNTED = {"rescued": f"event = '{Event.FAIL.value}' AND code = '{WORKER_LOST}'"}
# The histograms of completed and failed jobs, each of the last attempt, with a column `…_seconds`
# for the sum. `waits`: from due to started, which people wait for; `pickups`: from
# ready to started, without what the dispatcher owes; `runs`: from started to finished.
TIMED = {
    "waits": "started_at - available_at",
    "pickups": "started_at - published_at",
    "runs": "finished_at - started_at",
}
# Rows are merged into longer periods after a while.
HOURS_AFTER, DAYS_AFTER = timedelta(days=2), timedelta(days=35)


def _counter() -> Any:
    return models.BigIntegerField(default=0)


def _histogram() -> Any:
    return ArrayField(models.BigIntegerField(), default=list)


class JobStatisticsQuerySet(models.QuerySet["JobStatistics"]):
    def record(self, since: datetime, until: datetime) -> None:
        """Record what happened from a minute's beginning on. Recording it again is safe."""
        with connection.cursor() as cursor:
            cursor.execute(RECORD, {"since": since, "until": until, "bounds": list(BOUNDS)})

    def merge(self, now: datetime) -> None:
        """Merge old minutes into hours, and old hours into days."""
        for unit, after in (("hour", HOURS_AFTER), ("day", DAYS_AFTER)):
            before = (now - after).replace(hour=0, minute=0, second=0, microsecond=0)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(MERGE, {"unit": unit, "before": before})


class JobStatistics(models.Model):
    """What happened to the jobs of one kind in the minute, hour or day that begins at `start`."""

    start = models.DateTimeField()
    kind = models.CharField(max_length=50)

    submitted = _counter()
    completed = _counter()
    failed = _counter()
    failed_with_dependency = _counter()
    cancelled = _counter()
    retried = _counter()
    rescued = _counter()
    requeued = _counter()
    expired = _counter()

    waits = _histogram()
    waits_seconds = models.FloatField(default=0)
    pickups = _histogram()
    pickups_seconds = models.FloatField(default=0)
    runs = _histogram()
    runs_seconds = models.FloatField(default=0)

    objects = JobStatisticsQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "job statistics"
        constraints = [
            models.UniqueConstraint(fields=["start", "kind"], name="job_statistics_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} from {self.start:%Y-%m-%d %H:%M}"


def _record_sql() -> str:
    """Return the statement that records the minutes from `since` to `until`.

    Only names and constants of this module are formatted in.
    """
    counts = ", ".join(
        f"count(*) FILTER (WHERE event = '{event.value}' OR {ALSO_COUNTED.get(name, 'false')})"
        f" AS {name}"
        for name, event in COUNTED.items()
    )
    seconds = ", ".join(
        f"CASE WHEN {taken} < '0' THEN 0 ELSE extract(epoch FROM {taken}) END::float8 AS {name}"
        for name, taken in TIMED.items()
    )
    times = ", ".join(
        f"{_buckets(name)} AS {name}, sum({name}) AS {name}_seconds" for name in TIMED
    )
    zeros = f"array_fill(0::bigint, ARRAY[{BUCKETS}])"
    found = ", ".join(
        [
            *[f"coalesce({name}, 0)" for name in COUNTED],
            *[f"coalesce({name}, {zeros}), coalesce({name}_seconds, 0)" for name in TIMED],
        ]
    )
    names = [*COUNTED, *[column for name in TIMED for column in (name, f"{name}_seconds")]]
    ended = f"'{Status.COMPLETED.value}', '{Status.FAILED.value}'"
    return f"""
        WITH counted AS (
            SELECT date_trunc('minute', at, 'UTC') AS start, kind, {counts}
            FROM jobs_jobevent JOIN jobs_downloadjob ON jobs_downloadjob.id = job_id
            WHERE at >= %(since)s AND at < %(until)s GROUP BY 1, 2
        ), timed AS (
            SELECT date_trunc('minute', finished_at, 'UTC') AS start, kind, {times}
            FROM (
                SELECT finished_at, kind, {seconds} FROM jobs_downloadjob
                WHERE status IN ({ended}) AND started_at IS NOT NULL
                AND finished_at >= %(since)s AND finished_at < %(until)s
            ) AS ended GROUP BY 1, 2
        )
        INSERT INTO jobs_jobstatistics (start, kind, {", ".join(names)})
        SELECT start, kind, {found} FROM counted FULL JOIN timed USING (start, kind)
        ON CONFLICT (start, kind)
        DO UPDATE SET ({", ".join(names)}) = ROW({", ".join(f"EXCLUDED.{n}" for n in names)})
    """  # noqa: S608


def _buckets(name: str) -> str:
    counts = [
        f"count(*) FILTER (WHERE width_bucket({name}, %(bounds)s::float8[]) = {number})"
        for number in range(BUCKETS)
    ]
    return f"ARRAY[{', '.join(counts)}]"


def _merge_sql() -> str:
    sums = [f"sum({name})" for name in COUNTED]
    for name in TIMED:
        buckets = [f"coalesce(sum({name}[{number}]), 0)" for number in range(1, BUCKETS + 1)]
        sums += [f"ARRAY[{', '.join(buckets)}]", f"sum({name}_seconds)"]
    names = [*COUNTED, *[column for name in TIMED for column in (name, f"{name}_seconds")]]
    return f"""
        WITH merged AS (
            DELETE FROM jobs_jobstatistics
            WHERE start < %(before)s AND start <> date_trunc(%(unit)s, start, 'UTC')
            OR start < %(before)s AND (date_trunc(%(unit)s, start, 'UTC'), kind) IN (
                SELECT date_trunc(%(unit)s, start, 'UTC'), kind FROM jobs_jobstatistics
                WHERE start < %(before)s AND start <> date_trunc(%(unit)s, start, 'UTC')
            ) RETURNING *
        )
        INSERT INTO jobs_jobstatistics (start, kind, {", ".join(names)})
        SELECT date_trunc(%(unit)s, start, 'UTC'), kind, {", ".join(sums)} FROM merged GROUP BY 1, 2
    """  # noqa: S608


RECORD, MERGE = _record_sql(), _merge_sql()
