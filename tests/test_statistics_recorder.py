"""What happened to jobs is summed up by minute, later by hour and by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import Sum
from django.utils import timezone

from jobs.engine.statistics_recorder import StatisticsRecorder
from jobs.models import DownloadJob, JobEvent, JobStatistics, ServiceProcess
from jobs.models.job_statistics import BOUNDS, BUCKETS, COUNTED, TIMED
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOTHING = [0] * BUCKETS


def add_event(job: DownloadJob, event: Event, *, at: datetime) -> None:
    line = JobEvent.objects.record(job, event, Actor.WORKER)
    JobEvent.objects.filter(pk=line.pk).update(at=at)


def add_job(*, due: float, rung: float | None, started: float, finished: float, kind: str) -> None:
    """Add a completed job. The times are seconds after noon."""
    at = {
        "available_at": due, "published_at": rung, "started_at": started, "finished_at": finished
    }  # fmt: skip
    job = JobFactory(kind=kind, status=Status.COMPLETED)
    DownloadJob.objects.filter(pk=job.pk).update(
        **{
            name: None if seconds is None else NOON + timedelta(seconds=seconds)
            for name, seconds in at.items()
        }
    )


def bucket(seconds: float) -> list[int]:
    """Return a histogram with one job."""
    number = sum(seconds >= bound for bound in BOUNDS)
    return [int(number == each) for each in range(BUCKETS)]


def record(minutes: int = 60) -> None:
    JobStatistics.objects.record(NOON, NOON + timedelta(minutes=minutes))


def retried() -> int:
    found: int = JobStatistics.objects.aggregate(retried=Sum("retried"))["retried"]
    return found


def test_events_are_counted_by_minute_and_kind(alice: User) -> None:
    bundle, other = JobFactory(owner=alice), JobFactory(owner=alice, kind="other")
    JobEvent.objects.all().delete()
    for event in COUNTED.values():
        add_event(bundle, event, at=NOON + timedelta(seconds=59))
    add_event(bundle, Event.CLAIM, at=NOON)
    add_event(bundle, Event.RETRY, at=NOON + timedelta(seconds=61))
    add_event(other, Event.RETRY, at=NOON)
    add_event(other, Event.RETRY, at=NOON - timedelta(seconds=1))

    record()

    rows = JobStatistics.objects.order_by("kind", "start").values("kind", "start", *COUNTED)
    ones, zeros = dict.fromkeys(COUNTED, 1), dict.fromkeys(COUNTED, 0)
    assert list(rows) == [
        {"kind": "bundle", "start": NOON} | ones,
        {"kind": "bundle", "start": NOON + timedelta(minutes=1)} | zeros | {"retried": 1},
        {"kind": "other", "start": NOON} | zeros | {"retried": 1},
    ]


def test_the_loss_that_fails_a_job_is_counted_as_those_before(alice: User) -> None:
    job = JobFactory(owner=alice)
    JobEvent.objects.all().delete()
    for event, code in (
        (Event.RESCUE, "worker_lost"),
        (Event.FAIL, "worker_lost"),
        (Event.FAIL, "timeout"),
    ):
        add_event(job, event, at=NOON)
        JobEvent.objects.filter(code="").update(code=code)

    record()

    found = JobStatistics.objects.get()
    assert (found.rescued, found.failed) == (2, 2)


def test_times_are_summed_up_as_histograms() -> None:
    add_job(due=0, rung=2, started=7, finished=50, kind="bundle")

    record()

    row = JobStatistics.objects.get()
    assert (row.start, row.kind) == (NOON, "bundle")
    assert (row.waits, row.waits_seconds) == (bucket(7), 7)
    assert (row.pickups, row.pickups_seconds) == (bucket(5), 5)
    assert (row.runs, row.runs_seconds) == (bucket(43), 43)


def test_a_job_that_was_claimed_without_a_doorbell_has_no_pickup_time() -> None:
    add_job(due=0, rung=None, started=7, finished=50, kind="bundle")

    record()

    row = JobStatistics.objects.get()
    assert (sum(row.waits), row.pickups, row.pickups_seconds) == (1, NOTHING, 0)


def test_a_doorbell_that_is_early_counts_as_no_wait() -> None:
    add_job(due=7.2, rung=7.1, started=7, finished=50, kind="bundle")

    record()

    row = JobStatistics.objects.get()
    assert (row.waits, row.waits_seconds) == (bucket(0), 0)
    assert (row.pickups, row.pickups_seconds) == (bucket(0), 0)


def test_the_last_bucket_has_all_that_took_longer() -> None:
    add_job(due=0, rung=0, started=2 * BOUNDS[-1], finished=2 * BOUNDS[-1], kind="bundle")

    record(minutes=24 * 60)

    assert JobStatistics.objects.get().waits == [*NOTHING[:-1], 1]


def test_recording_a_minute_again_counts_nothing_twice(alice: User) -> None:
    job = JobFactory(owner=alice)
    add_event(job, Event.RETRY, at=NOON)
    record()
    add_event(job, Event.RETRY, at=NOON)  # its transaction was committed late

    record()
    record()

    assert JobStatistics.objects.get().retried == 2


def test_the_recorder_records_what_was_missed_and_then_what_is_new(alice: User) -> None:
    now = timezone.now()
    job = JobFactory(owner=alice)
    JobEvent.objects.all().delete()
    for age in (timedelta(days=8), timedelta(days=6), timedelta(hours=1), timedelta()):
        add_event(job, Event.RETRY, at=now - age)
    recorder = StatisticsRecorder()

    recorder()
    assert retried() == 3  # not the one that is a week old

    add_event(job, Event.RETRY, at=now - timedelta(seconds=100))  # committed late
    add_event(job, Event.RETRY, at=now)
    recorder()
    assert retried() == 5


def test_a_second_recorder_goes_on_where_the_first_one_ended(alice: User) -> None:
    job = JobFactory(owner=alice)
    now = timezone.now()
    for days in (2, 1):
        add_event(job, Event.RETRY, at=now - timedelta(days=days))
    StatisticsRecorder()()
    JobStatistics.objects.update(retried=70)

    StatisticsRecorder()()

    rows = JobStatistics.objects.filter(retried__gt=0).order_by("start")
    assert [row.retried for row in rows] == [70, 1]  # the last minute is recorded again


def test_old_minutes_become_hours_and_old_hours_days() -> None:
    now = timezone.now().replace(hour=12, minute=30)
    ages = [0, 1.0, 3.001, 3.002, 3.1, 40.01, 40.02, 40.3]
    for age in ages:
        JobStatistics.objects.create(
            start=(now - timedelta(days=age)).replace(second=0, microsecond=0), kind="bundle",
            completed=1, waits=bucket(1), waits_seconds=1, pickups=NOTHING, runs=bucket(2),
            runs_seconds=2,
        )  # fmt: skip
    for _ in range(3):
        JobStatistics.objects.merge(now)

    starts = JobStatistics.objects.order_by("-start").values_list("start", "completed")
    long_ago = (now - timedelta(days=40)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert [count for _, count in starts] == [1, 1, 2, 1, 3]
    assert starts[4][0] == long_ago
    assert [(start.minute, start.second) for start, _ in starts[2:]] == [(0, 0)] * 3
    sums = JobStatistics.objects.aggregate(
        **{f"{name}_seconds": Sum(f"{name}_seconds") for name in TIMED}
    )
    assert sums == {"waits_seconds": 8, "pickups_seconds": 0, "runs_seconds": 16}
    assert JobStatistics.objects.get(start=long_ago).waits == [3 * each for each in bucket(1)]


def test_processes_that_have_not_responded_for_long_are_forgotten() -> None:
    for minutes in (14, 16):
        ServiceProcess.objects.report("worker", f"{minutes} minutes")
        seen_at = timezone.now() - timedelta(minutes=minutes)
        ServiceProcess.objects.filter(name=f"{minutes} minutes").update(seen_at=seen_at)

    StatisticsRecorder()()

    assert ServiceProcess.objects.get().name == "14 minutes"
