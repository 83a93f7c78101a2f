"""Actions of operators on many jobs: the snapshot, batches, the report, crashes and throttling."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count
from django.utils import timezone

from jobs.engine import bulk_actions
from jobs.engine.bulk_actions import advance_bulk_action, run_bulk_action
from jobs.engine.expiry import expire_bulk_actions
from jobs.errors import WORKER_LOST
from jobs.models import BulkAction, DownloadJob, JobAction, JobEvent, Notification
from jobs.models import bulk_action as model
from jobs.models.job_queryset import JobQuerySet
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory, NotificationFactory, UserFactory
from tests.live import Live, on_this_database, until

ALL = DownloadJob.objects.all


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "BATCH", 2)
    monkeypatch.setattr(bulk_actions, "BATCH", 2)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat any number of jobs as many."""
    monkeypatch.setattr(bulk_actions, "FEW", 0)


@pytest.fixture
def olga(operator: User) -> User:
    return operator


def start(action: JobAction, olga: User, jobs: JobQuerySet | None = None, **fields: Any) -> Any:
    chosen = ALL() if jobs is None else jobs
    return BulkAction.objects.start(chosen, action, olga, bulk_id=uuid4(), **fields)


def finish(bulk: BulkAction) -> BulkAction:
    """Handle all batches, without the pauses."""
    while advance_bulk_action(BulkAction.objects.running().filter(pk=bulk.pk)):
        pass
    bulk.refresh_from_db()
    return bulk


def test_all_jobs_that_match_are_cancelled(alice: User, olga: User) -> None:
    for _ in range(5):
        JobFactory(owner=alice)
    other = JobFactory(owner=alice, kind="remote")

    bulk = finish(start(JobAction.CANCEL, olga, ALL().filter(kind="bundle")))

    assert (bulk.state, bulk.total, bulk.done, bulk.skipped) == ("completed", 5, 5, {})
    assert bulk.finished_at
    assert ALL().filter(status=Status.CANCELLED).count() == 5
    assert set(JobEvent.objects.values_list("event", "by", "detail")) == {
        (Event.CANCEL, Actor.OPERATOR, "olga")
    }
    other.refresh_from_db()
    assert other.status == Status.QUEUED


@pytest.mark.parametrize("jobs", [0, 7, 8])
def test_any_number_of_jobs_is_recorded_in_chunks(
    alice: User, olga: User, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(model, "CHUNK", 4)
    at = timezone.now() - timedelta(hours=1)
    made = [
        JobFactory(owner=alice, created_at=at + timedelta(seconds=n // 3)).pk for n in range(jobs)
    ]

    bulk = start(JobAction.CANCEL, olga)

    assert bulk.total == jobs
    batches = [batch.job_ids for batch in bulk.batches.all()]
    assert [len(ids) for ids in batches] == [2] * (jobs // 2) + [1] * (jobs % 2)
    assert sorted(pk for ids in batches for pk in ids) == sorted(made)
    times = dict(ALL().values_list("pk", "created_at"))
    in_order = [times[pk] for ids in batches for pk in ids]
    assert in_order == sorted(in_order), "the oldest first"


def test_jobs_that_come_later_are_left_alone(alice: User, olga: User) -> None:
    JobFactory(owner=alice)
    bulk = start(JobAction.CANCEL, olga)
    late = JobFactory(owner=alice)

    finish(bulk)

    late.refresh_from_db()
    assert late.status == Status.QUEUED


def test_jobs_that_changed_meanwhile_are_skipped_and_reported(alice: User, olga: User) -> None:
    done, gone, retried, kept = (
        JobFactory(owner=alice, status=status)
        for status in (Status.QUEUED, Status.QUEUED, Status.FAILED, Status.QUEUED)
    )
    bulk = start(JobAction.CANCEL, olga)
    done.cancel(Actor.OWNER)
    ALL().filter(pk=gone.pk).delete()
    JobEvent.objects.all().delete()

    finish(bulk)

    assert (bulk.done, bulk.skipped) == (1, {"cancelled": 1, "failed": 1, "deleted": 1})
    assert sorted(bulk.skipped_jobs) == sorted(
        [[str(done.pk), "cancelled"], [str(gone.pk), "deleted"], [str(retried.pk), "failed"]]
    )
    assert JobEvent.objects.get().job == kept


def test_a_report_names_the_first_skipped_jobs_only(
    alice: User, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "MAX_LISTED", 3)
    for _ in range(5):
        JobFactory(owner=alice, status=Status.COMPLETED)

    bulk = finish(start(JobAction.CANCEL, olga))

    assert bulk.skipped == {"completed": 5}
    assert len(bulk.skipped_jobs) == 3


def test_a_batch_that_is_interrupted_is_done_again_and_counted_once(
    alice: User, olga: User, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        JobFactory(owner=alice)
    bulk = start(JobAction.CANCEL, olga)
    advance_bulk_action()
    with monkeypatch.context() as patch:
        patch.setattr(BulkAction, "record", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            advance_bulk_action(BulkAction.objects.running())
    assert ALL().filter(status=Status.CANCELLED).count() == 2

    finish(bulk)

    assert (bulk.done, bulk.skipped, bulk.state) == (4, {}, "completed")
    assert JobEvent.objects.count() == 4


def test_an_error_of_one_job_does_not_stop_the_others(
    alice: User, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, *_ = (JobFactory(owner=alice) for _ in range(3))
    cancel = DownloadJob.cancel

    def fail_once(job: DownloadJob, *args: Any, **kwargs: Any) -> None:
        cancel(job, *args, **kwargs)
        if job.pk == broken.pk:
            raise ValueError

    monkeypatch.setattr(DownloadJob, "cancel", fail_once)

    bulk = finish(start(JobAction.CANCEL, olga))

    assert (bulk.done, bulk.skipped) == (2, {"error": 1})
    broken.refresh_from_db()
    assert broken.status == Status.QUEUED


def test_the_next_batch_is_due_after_a_pause(
    alice: User, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "JOBS_A_SECOND", 2 / 60)  # a batch a minute
    for _ in range(6):
        JobFactory(owner=alice)
    start(JobAction.CANCEL, olga)

    assert [advance_bulk_action() for _ in range(3)] == [2, 0, 0]

    left = BulkAction.objects.get().due_at - timezone.now()
    assert timedelta(seconds=55) < left <= timedelta(seconds=60)


def test_two_actions_share_the_speed(
    alice: User, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "JOBS_A_SECOND", 2 / 60)
    for _ in range(4):
        JobFactory(owner=alice)
    for _ in range(2):
        start(JobAction.CANCEL, olga)

    assert [advance_bulk_action() for _ in range(3)] == [2, 2, 0]

    for bulk in BulkAction.objects.all():
        assert bulk.due_at - timezone.now() > timedelta(seconds=115)


def test_a_form_that_is_sent_twice_is_one_action(alice: User, olga: User) -> None:
    JobFactory(owner=alice)
    bulk_id = uuid4()

    for _ in range(2):
        BulkAction.objects.start(ALL(), JobAction.CANCEL, olga, bulk_id=bulk_id)

    assert BulkAction.objects.get().total == 1
    assert BulkAction.objects.get().batches.count() == 1


def test_a_stopped_action_leaves_the_rest(alice: User, olga: User) -> None:
    for _ in range(6):
        JobFactory(owner=alice)
    bulk = start(JobAction.CANCEL, olga)
    advance_bulk_action()

    assert bulk.stop()

    assert finish(bulk).state == "stopped"
    assert (bulk.done, bulk.left) == (2, 4)
    assert not bulk.batches.exists()
    assert ALL().filter(status=Status.QUEUED).count() == 4
    assert not bulk.stop(), "it has ended"


def test_retries_reset_the_job_and_skip_files_with_a_virus(
    alice: User, olga: User, broker: Mock
) -> None:
    failed = JobFactory(owner=alice, status=Status.FAILED, failures=4, error_code=WORKER_LOST)
    JobFactory(owner=alice, status=Status.FAILED, error_code="infected")
    JobFactory(owner=alice, status=Status.QUEUED)

    bulk = finish(start(JobAction.RETRY, olga))

    failed.refresh_from_db()
    assert (failed.status, failed.failures) == (Status.QUEUED, 0)
    assert (bulk.done, bulk.skipped) == (1, {"infected": 1, "queued": 1})


@pytest.mark.parametrize(("few", "rings"), [(2, 2), (1, 0)])
def test_only_few_jobs_ring_at_once(
    alice: User,
    olga: User,
    broker: Mock,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
    few: int,
    rings: int,
) -> None:
    monkeypatch.setattr(bulk_actions, "FEW", few)
    bells: list[object] = []
    monkeypatch.setattr("jobs.engine.submission.ring_doorbell_after_commit", bells.append)
    for _ in range(2):
        JobFactory(owner=alice, status=Status.FAILED)

    finish(start(JobAction.RETRY, olga))
    finish(start(JobAction.CHANGE_PRIORITY, olga, priority=8))

    assert len(bells) == 2 * rings
    to_ring = DownloadJob.objects.to_make_ready().filter(priority=8)
    assert to_ring.count() == 2 - rings, "the dispatcher rings for these"


def test_the_priority_of_jobs_that_wait_is_changed(alice: User, olga: User, broker: Mock) -> None:
    waiting = JobFactory(owner=alice)
    later = JobFactory(owner=alice, available_at=timezone.now() + timedelta(hours=1))
    JobFactory(owner=alice, priority=7)
    JobFactory(owner=alice, status=Status.PROCESSING)

    bulk = finish(start(JobAction.CHANGE_PRIORITY, olga, priority=7))

    assert (bulk.done, bulk.skipped) == (2, {"same_priority": 1, "processing": 1})
    assert str(bulk) == "Change priority to 7: 4 downloads"
    for job in (waiting, later):
        job.refresh_from_db()
        assert (job.priority, job.events.get().event) == (7, Event.CHANGE_PRIORITY)


def test_jobs_that_are_still_needed_are_not_deleted(alice: User, olga: User) -> None:
    needed = JobFactory(owner=alice, status=Status.COMPLETED)
    JobFactory(owner=alice, held=True).after.add(needed)
    NotificationFactory(owner=alice)
    JobFactory(owner=alice, status=Status.FAILED)
    JobFactory(owner=alice, status=Status.FAILED, kind="removed")

    bulk = finish(start(JobAction.DELETE, olga))

    reasons = {"needed": 1, "not_notified": 1, "queued": 1, "kind_missing": 1}
    assert (bulk.done, bulk.skipped) == (1, reasons)
    assert ALL().count() == 4


def test_owners_are_notified_of_each_job(alice: User, olga: User) -> None:
    for _ in range(3):
        JobFactory(owner=alice, webhook="https://example.org/hook")

    finish(start(JobAction.CANCEL, olga))

    assert Notification.objects.filter(content__status="cancelled").count() == 3


def test_a_few_jobs_are_done_at_once_and_logged_each(alice: User, olga: User) -> None:
    from django.contrib.admin.models import LogEntry

    for _ in range(5):
        JobFactory(owner=alice)
    bulk = start(JobAction.CANCEL, olga)

    run_bulk_action(bulk)

    bulk.refresh_from_db()
    assert (bulk.state, bulk.done) == ("completed", 5)
    assert LogEntry.objects.filter(user=olga, change_message="Cancelled.").count() == 5


@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_do_each_job_once(
    olga: User, many: None, monkeypatch: pytest.MonkeyPatch, broker: Mock
) -> None:
    monkeypatch.setattr(bulk_actions, "JOBS_A_SECOND", 1e6)
    owners = [UserFactory() for _ in range(4)]
    for n in range(60):
        JobFactory(owner=owners[n % 4], status=Status.FAILED)
    start(JobAction.RETRY, olga)
    start(JobAction.CHANGE_PRIORITY, olga, priority=6)  # of the same jobs
    errors: list[BaseException] = []

    def dispatch() -> None:
        try:
            while BulkAction.objects.running().exists():
                advance_bulk_action()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=dispatch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    events = JobEvent.objects.values_list("job", "event").annotate(times=Count("pk"))
    assert {times for *_, times in events} == {1}
    retry, priority = BulkAction.objects.order_by("created_at")
    assert (retry.done, retry.skipped) == (60, {})
    assert priority.handled == 60


def test_old_reports_are_deleted(olga: User, settings: Any) -> None:
    long_ago = timezone.now() - timedelta(seconds=settings.JOB_KEPT_SECONDS + 60)
    for finished_at in (long_ago, timezone.now(), None):
        BulkAction.objects.create(action="cancel", finished_at=finished_at)

    assert expire_bulk_actions() == 1

    assert not BulkAction.objects.filter(finished_at=long_ago).exists()


LARGE = 20_000
QUEUED = """
INSERT INTO jobs_downloadjob (id, owner_id, kind, name, params, priority, request_id,
    idempotency_key, request_hash, status, attempt, failures, losses, available_at, published_at,
    task_id, worker, version, progress, done, total, unit, speed, threads, message, error_code,
    error, created_at, updated_at)
SELECT gen_random_uuid(), %s, 'bundle', 'queued.zip', '{"file_ids": [70000]}', 4, '', '', '',
    'queued', 0, 0, 0, now() + interval '1 day', now(), '', '', 1, 0, 0, 1, 'bytes', 0, 0, '', '',
    '', now(), now()
FROM generate_series(1, %s)
"""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database())
    try:
        yield live
    finally:
        live.stop()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_dispatcher_is_followed_by_the_next_one(
    live: Live, alice: User, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two dispatchers cancel 20,000 jobs. Both are killed on the way, and one is started again."""
    monkeypatch.setattr(model, "BATCH", 50)
    with connection.cursor() as cursor:
        cursor.execute(QUEUED, [alice.pk, LARGE])
    bulk = start(JobAction.CANCEL, olga)
    first, second = live.start("dispatcher"), live.start("dispatcher")

    def has_done(jobs: int) -> bool:
        bulk.refresh_from_db()
        return bulk.done >= jobs

    until(lambda: has_done(500), 120, live.logs)
    live.kill(first)
    until(lambda: has_done(2_000), 120, live.logs)
    live.kill(second)
    live.start_again(first)
    until(lambda: has_done(LARGE), 600, live.logs)

    assert (bulk.state, bulk.done, bulk.skipped) == ("completed", LARGE, {})
    statuses = Counter(ALL().values_list("status", flat=True))
    assert statuses == {Status.CANCELLED: LARGE}
    assert JobEvent.objects.filter(event=Event.CANCEL).count() == LARGE
