"""Repeated requests: each run is started once, missed ones become one, and refusals are shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from jobs.engine import schedules
from jobs.engine.schedules import create_schedule, run_due_schedules, run_schedule_now
from jobs.errors import OwnerBusy, TooManySchedules
from jobs.models import DownloadJob, Schedule, ScheduleRun
from jobs.models.schedule import RUNS_KEPT
from tests.live import Live, on_this_database, until

REPORT = {"period": "7d", "format": "pdf"}
NINE = datetime(2027, 3, 1, 9, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("broker")


def schedule_of(owner: User, *, due: bool = True, **fields: Any) -> Schedule:
    """Create a schedule that is due since 2026-11-01 09:00, or not yet."""
    values: dict[str, Any] = {
        "owner": owner, "name": "Weekly", "kind": "report", "request": REPORT,
        "cron": "0 9 * * *", "time_zone": "UTC",
    }  # fmt: skip
    schedule = Schedule(**values | fields)
    create_schedule(schedule)
    if due:
        schedule.next_run_at = datetime(2026, 11, 1, 9, tzinfo=UTC)
        schedule.save()
    return schedule


@pytest.fixture
def at_nine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock that the next run is planned with."""
    monkeypatch.setattr(schedules, "database_time", lambda: NINE)


def test_due_schedule_starts_its_job(alice: User) -> None:
    schedule = schedule_of(alice)

    assert run_due_schedules() == 1

    job, run = DownloadJob.objects.get(), ScheduleRun.objects.get()
    assert (job.owner, job.kind, job.params["period"]) == (alice, "report", "7d")
    assert job.request_id == f"schedule-{schedule.pk}"
    assert (run.job_id, run.due_at, run.error) == (job.pk, schedule.next_run_at, "")


def test_schedule_that_is_not_due_starts_nothing(alice: User) -> None:
    schedule_of(alice, due=False)

    assert run_due_schedules() == 0
    assert not DownloadJob.objects.exists()


@pytest.mark.usefixtures("at_nine")
def test_missed_runs_become_one(alice: User) -> None:
    schedule = schedule_of(alice)  # since four months

    assert [run_due_schedules(), run_due_schedules()] == [1, 0]

    schedule.refresh_from_db()
    assert DownloadJob.objects.count() == 1
    assert schedule.next_run_at == NINE + timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "following"),
    [
        (datetime(2027, 3, 28, 0, 45, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)),
        (datetime(2027, 10, 31, 0, 30, 1, tzinfo=UTC), datetime(2027, 11, 1, 1, 30, tzinfo=UTC)),
    ],
)
def test_next_run_follows_the_clocks_of_the_zone(
    alice: User, monkeypatch: pytest.MonkeyPatch, now: datetime, following: datetime
) -> None:
    schedule = schedule_of(alice, cron="30 2 * * *", time_zone="Europe/Berlin")
    monkeypatch.setattr(schedules, "database_time", lambda: now)

    run_due_schedules()

    schedule.refresh_from_db()
    assert schedule.next_run_at == following


def test_dispatcher_with_a_slow_clock_does_not_plan_the_same_run_again(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = schedule_of(alice)
    monkeypatch.setattr(schedules, "database_time", lambda: datetime(2026, 10, 1, tzinfo=UTC))
    monkeypatch.setattr(schedules, "BATCH", 1)  # the next one is due as well

    run_due_schedules()

    schedule.refresh_from_db()
    assert schedule.next_run_at == datetime(2026, 11, 2, 9, tzinfo=UTC)


def test_schedule_of_an_inactive_user_waits(alice: User) -> None:
    schedule_of(alice)
    User.objects.update(is_active=False)
    assert run_due_schedules() == 0

    User.objects.update(is_active=True)

    assert run_due_schedules() == 1


def test_limit_is_recorded_and_the_next_run_is_planned(alice: User, settings: Any) -> None:
    settings.MAX_ACTIVE_JOBS = 0
    schedule = schedule_of(alice)

    run_due_schedules()

    run = ScheduleRun.objects.get()
    schedule.refresh_from_db()
    assert (run.job_id, run.error_code) == (None, "too_many_active")
    assert run.error
    assert schedule.next_run_at
    assert schedule.next_run_at > timezone.now()
    assert not DownloadJob.objects.exists()


def test_request_is_validated_again_when_it_runs(alice: User) -> None:
    schedule_of(alice, request=REPORT | {"everybody": True})  # as staff she could

    run_due_schedules()

    run = ScheduleRun.objects.get()
    assert run.error_code == "invalid"
    assert run.error.startswith("everybody: ")


def test_permission_of_the_kind_is_checked_when_it_runs(
    alice: User, add_kinds: Callable[..., None]
) -> None:
    add_kinds("tests.shop.PrivateExport")
    schedule_of(alice, kind="private-export", request={"year": 2025})

    run_due_schedules()

    assert ScheduleRun.objects.get().error_code == "permission_denied"


def test_kind_that_was_uninstalled_does_not_stop_others(alice: User) -> None:
    schedule_of(alice, kind="gone")
    schedule_of(alice)

    assert run_due_schedules() == 2

    codes = ScheduleRun.objects.values_list("error_code", flat=True)
    assert sorted(codes) == ["", "kind_missing"]


def test_bug_in_a_kind_does_not_stop_others(alice: User, bob: User) -> None:
    schedule_of(alice)
    schedule_of(bob)
    real = schedules.submit_job

    def submit(**arguments: Any) -> Any:
        if arguments["owner"] == alice:
            raise ZeroDivisionError
        return real(**arguments)

    with patch.object(schedules, "submit_job", submit):
        run_due_schedules()

    assert ScheduleRun.objects.get(schedule__owner=alice).error_code == "unexpected"
    assert DownloadJob.objects.get().owner == bob


def test_busy_owner_is_tried_again(alice: User, bob: User) -> None:
    schedule_of(alice)
    schedule_of(bob)
    real = schedules.submit_job

    def submit(**arguments: Any) -> Any:
        if arguments["owner"] == alice:
            raise OwnerBusy
        return real(**arguments)

    with patch.object(schedules, "submit_job", submit):
        run_due_schedules()
    assert DownloadJob.objects.get().owner == bob

    run_due_schedules()

    assert ScheduleRun.objects.get(schedule__owner=alice).job_id


def test_failure_before_the_commit_leaves_nothing_behind(alice: User) -> None:
    schedule = schedule_of(alice)

    with patch.object(Schedule, "record_run", side_effect=MemoryError), pytest.raises(MemoryError):
        run_due_schedules()

    assert not DownloadJob.objects.exists()
    assert list(Schedule.objects.due()) == [schedule]


def test_last_runs_are_kept(alice: User) -> None:
    schedule = schedule_of(alice, due=False)
    for day in range(RUNS_KEPT + 3):
        schedule.record_run(NINE + timedelta(days=day), None, "invalid", "no")

    days = [run.due_at.day for run in schedule.runs.all()]
    assert days == list(range(RUNS_KEPT + 3, 3, -1))


def test_run_at_once_leaves_the_next_run_as_it_is(alice: User) -> None:
    schedule = schedule_of(alice, due=False)

    job, is_new = run_schedule_now(schedule.pk)

    planned = schedule.next_run_at
    schedule.refresh_from_db()
    assert is_new
    assert schedule.next_run_at == planned
    assert schedule.runs.get().job_id == job.pk


def test_run_at_once_with_the_same_key_is_one_run(alice: User) -> None:
    schedule = schedule_of(alice, due=False)

    first, second = (run_schedule_now(schedule.pk, key="once") for _ in range(2))

    assert (first[0], second[1]) == (second[0], False)
    assert schedule.runs.count() == 1


def test_owner_has_a_most_number_of_schedules(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "MAX_SCHEDULES", 1)
    schedule_of(alice)

    with pytest.raises(TooManySchedules):
        schedule_of(alice)

    assert Schedule.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_row_that_another_dispatcher_has_locked_is_skipped(alice: User) -> None:
    schedule_of(alice)
    counts: list[int] = []

    def other() -> None:
        counts.append(run_due_schedules())
        connection.close()

    with transaction.atomic():
        assert Schedule.objects.due().skip_locked().first()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)

    assert counts == [0]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database())
    try:
        yield live
    finally:
        live.stop()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_start_each_run_once(live: Live, alice: User, settings: Any) -> None:
    count = 80  # fewer than an owner may have active
    for _ in range(count):
        schedule_of(alice)

    live.start("dispatcher")
    live.start("dispatcher")

    until(lambda: not Schedule.objects.due().exists(), 60, live.logs)
    assert ScheduleRun.objects.filter(error="").count() == count
    assert DownloadJob.objects.count() == count


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_dispatcher_killed_before_its_commit_is_followed_by_one_job(
    live: Live, alice: User
) -> None:
    schedule_of(alice)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE jobs_schedulerun IN EXCLUSIVE MODE")  # after the job's row
        killed = live.start("dispatcher")
        until(_is_someone_waiting, 60, live.logs)
        live.kill(killed)
    assert not DownloadJob.objects.exists()

    live.start_again(killed)

    until(lambda: not Schedule.objects.due().exists(), 60, live.logs)
    assert DownloadJob.objects.count() == ScheduleRun.objects.count() == 1


def _is_someone_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'jobs_schedulerun'::regclass"
        )
        return cursor.fetchone() is not None
