"""The dispatcher's effects on rows, broker and bucket."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs import storage
from jobs.engine import dispatcher, expiry, garbage, sweeps
from jobs.engine.submission import submit_job
from jobs.errors import StaleJob, StorageUnavailable
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob, Lane, StoredFile
from jobs.models.lane import make_ready
from jobs.states import Actor, Event, Status
from tests.factories import ArtifactFactory, JobFactory

LONG_AGO = timezone.now() - timedelta(days=2)


@pytest.fixture(autouse=True)
def short_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.engine.broker.broker_messages", lambda name: 0)


def rung(broker: Mock) -> list[str]:
    return [str(bell.job_id) for call in broker.call_args_list for bell in call.args[0]]


def test_a_due_job_becomes_ready_and_is_rung(alice: User, broker: Mock) -> None:
    job = JobFactory(owner=alice)

    assert sweeps.sweep_due_jobs() == 1

    assert rung(broker) == [str(job.pk)]
    assert DownloadJob.objects.ready().get() == job
    assert sweeps.sweep_due_jobs() == 0


def test_a_retry_is_rung_when_it_is_due_and_not_before(
    running_job: DownloadJob, broker: Mock
) -> None:
    running_job.retry("code", "Sentence.", after_seconds=1)
    assert sweeps.sweep_due_jobs() == 0

    DownloadJob.objects.update(available_at=timezone.now())
    assert sweeps.sweep_due_jobs() == 1


def ready(owner: User, count: int = 1) -> list[DownloadJob]:
    """Return jobs that became ready long ago."""
    jobs = [JobFactory(owner=owner) for _ in range(count)]
    make_ready(job.pk for job in jobs)
    DownloadJob.objects.update(published_at=LONG_AGO)
    return jobs


@pytest.mark.parametrize(
    ("ready_jobs", "messages", "rung_again"), [(5, 0, 5), (5, 3, 2), (5, 9, 0)]
)
def test_lost_doorbells_are_replaced(
    alice: User,
    broker: Mock,
    monkeypatch: pytest.MonkeyPatch,
    ready_jobs: int,
    messages: int,
    rung_again: int,
) -> None:
    jobs = ready(alice, ready_jobs)
    monkeypatch.setattr("jobs.engine.broker.broker_messages", lambda name: messages)

    assert sweeps.sweep_lost_doorbells() == rung_again

    assert len(rung(broker)) == rung_again
    assert set(rung(broker)) <= {str(job.pk) for job in jobs}


def test_a_doorbell_that_may_still_be_under_way_is_not_replaced(alice: User, broker: Mock) -> None:
    ready(alice)
    DownloadJob.objects.update(published_at=timezone.now())

    assert sweeps.sweep_lost_doorbells() == 0


def test_a_long_queue_gets_no_more_doorbells(
    alice: User, broker: Mock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.QUEUE_SHORT = 3
    ready(alice, 5)

    assert sweeps.sweep_lost_doorbells() == 3

    monkeypatch.setattr("jobs.engine.broker.broker_messages", lambda name: 3)
    assert sweeps.sweep_lost_doorbells() == 0


@pytest.mark.parametrize("status", [s for s in Status if s != Status.QUEUED])
def test_only_queued_jobs_become_ready(alice: User, broker: Mock, status: Status) -> None:
    JobFactory(owner=alice, status=status)

    assert sweeps.sweep_due_jobs() == 0


def test_lanes_without_jobs_are_deleted(alice: User, bob: User) -> None:
    ready(alice)
    ready(bob)
    DownloadJob.objects.filter(owner=bob).update(lane=None)

    assert sweeps.sweep_lanes() == 1

    assert Lane.objects.get().owner == alice


def test_a_worker_without_heartbeats_loses_its_job(running_job: DownloadJob) -> None:
    assert sweeps.sweep_expired_leases() == 0

    DownloadJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert sweeps.sweep_expired_leases() == 1

    running_job.refresh_from_db()
    assert (running_job.status, running_job.losses) == (Status.QUEUED, 1)
    assert running_job.events.get(event=Event.RESCUE).by == Actor.DISPATCHER


@pytest.mark.django_db(transaction=True)
def test_several_dispatchers_rescue_each_job_once(alice: User) -> None:
    jobs = [
        JobFactory(owner=alice, status=Status.PROCESSING, lease_until=LONG_AGO) for _ in range(60)
    ]
    counts: list[int] = []
    start = threading.Barrier(4)

    def sweep() -> None:
        from django.db import connection

        start.wait()
        counts.append(sweeps.sweep_expired_leases())
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == len(jobs)
    assert set(DownloadJob.objects.values_list("losses", flat=True)) == {1}


def test_an_expired_artifact_and_its_object_are_deleted(alice: User, bucket: Any) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED, expires_at=LONG_AGO)
    key = f"{kind_folder(job)}1/a.zip"
    artifact = ArtifactFactory(owner=alice, key=key, made_by=job)
    DownloadJob.objects.update(artifact=artifact)
    bucket.save(key, ContentFile(b"x"))

    assert expiry.expire_artifacts() == 1
    assert garbage.collect_garbage() == 1

    job.refresh_from_db()
    assert (job.status, job.artifact) == (Status.EXPIRED, None)
    assert not StoredFile.objects.filter(key=key).exists()
    assert not bucket.exists(key)


def test_an_artifact_that_a_job_depends_on_does_not_expire(alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED, expires_at=LONG_AGO)
    artifact = ArtifactFactory(owner=alice, key=f"{kind_folder(job)}1/a.zip", made_by=job)
    DownloadJob.objects.update(artifact=artifact)
    (found,) = DownloadJob.objects.due_to_expire()
    submit_job(owner=alice, kind="bundle", params={"file_ids": [], "job_ids": [str(job.pk)]})

    with pytest.raises(StaleJob):
        found.expire()

    job.refresh_from_db()
    assert (job.status, job.artifact) == (Status.COMPLETED, artifact)


def test_leftovers_are_deleted_now_and_once_more_later(
    running_job: DownloadJob, bucket: Any
) -> None:
    bucket.save(f"{kind_folder(running_job)}1/lost.zip", ContentFile(b"x"))
    upload = storage.S3Output(
        f"{kind_folder(running_job)}1/open.zip", content_type="", expected_bytes=0
    )
    upload.write(bytes(2 * storage.MIN_PART_BYTES))
    running_job.fail("code", "Sentence.")

    assert garbage.collect_garbage() == 2

    running_job.refresh_from_db()
    again = (running_job.collect_at - running_job.finished_at).total_seconds()
    assert again == pytest.approx(7200)
    DownloadJob.objects.update(
        finished_at=timezone.now() - timedelta(hours=2),
        collect_at=timezone.now() - timedelta(hours=1),
    )
    assert garbage.collect_garbage() == 0
    running_job.refresh_from_db()
    assert running_job.collect_at is None


def test_artifacts_and_unfinished_jobs_keep_their_objects(alice: User, bucket: Any) -> None:
    kept = JobFactory(owner=alice, status=Status.COMPLETED, collect_at=LONG_AGO, attempt=2)
    running = JobFactory(owner=alice, status=Status.PROCESSING)
    keys = [f"{kind_folder(kept)}2/a.zip", f"{kind_folder(running)}1/b.zip"]
    ArtifactFactory(owner=alice, key=keys[0], made_by=kept)
    for key in keys:
        bucket.save(key, ContentFile(b"x"))

    assert garbage.collect_garbage() == 0

    assert all(bucket.exists(key) for key in keys)


def test_a_job_run_again_meanwhile_keeps_its_new_object(
    running_job: DownloadJob, bucket: Any
) -> None:
    running_job.fail("code", "Sentence.")
    seen_final = DownloadJob.objects.get(pk=running_job.pk)
    running_job.requeue(Actor.OWNER, total=1)
    running_job.claim(task_id="2", worker="w")
    key = f"{kind_folder(running_job)}2/new.zip"
    bucket.save(key, ContentFile(b"x"))

    garbage._collect(seen_final)

    assert bucket.exists(key)


def test_old_task_results_are_deleted(db: None) -> None:
    TaskResult.objects.create(task_id="old")
    TaskResult.objects.update(date_done=timezone.now() - timedelta(days=4))
    TaskResult.objects.create(task_id="new")

    assert expiry.expire_task_results() == 1

    assert TaskResult.objects.get().task_id == "new"


@pytest.mark.django_db(transaction=True)  # the connection is closed after a failure
def test_a_failing_sweep_does_not_stop_the_others(
    alice: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DISPATCH_EVERY_SECONDS = 0.01
    JobFactory(owner=alice, published_at=None)
    stop, calls = threading.Event(), []

    def broken() -> int:
        calls.append(1)
        if len(calls) == 3:
            stop.set()
        raise RuntimeError("no broker")

    monkeypatch.setattr(dispatcher, "sweep_due_jobs", broken)

    dispatcher.run_dispatcher(stop)

    assert len(calls) == 3


def test_a_backlog_of_leftovers_is_deleted_in_one_round(alice: User, bucket: Any) -> None:
    for _ in range(sweeps.BATCH + 20):
        JobFactory(owner=alice, status=Status.CANCELLED, collect_at=LONG_AGO, attempt=0)

    garbage.collect_garbage()

    assert not DownloadJob.objects.filter(collect_at__lt=timezone.now()).exists()


def test_a_job_of_a_kind_that_is_gone_does_not_block_the_others(alice: User, bucket: Any) -> None:
    old = {"status": Status.CANCELLED, "collect_at": LONG_AGO, "finished_at": LONG_AGO}
    gone = JobFactory(owner=alice, kind="no-longer-installed", **old)
    other = JobFactory(owner=alice, **old | {"collect_at": LONG_AGO + timedelta(hours=1)})
    bucket.save(f"{kind_folder(other)}1/lost", ContentFile(b"x"))

    assert garbage.collect_garbage() == 1

    gone.refresh_from_db()
    assert gone.collect_at == LONG_AGO, "it is collected once its kind is installed again"


def test_a_job_that_cannot_be_collected_does_not_block_the_others(
    alice: User, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = (
        JobFactory(owner=alice, status=Status.CANCELLED, collect_at=LONG_AGO + timedelta(hours=n))
        for n in range(2)
    )
    delete_all_but = storage.delete_all_objects_but

    def refuse_one(wanted: Any, *, prefix: str) -> int:
        if str(stuck.pk) in prefix:
            raise StorageUnavailable("refused")
        return delete_all_but(wanted, prefix=prefix)

    monkeypatch.setattr(storage, "delete_all_objects_but", refuse_one)
    bucket.save(f"{kind_folder(other)}1/lost", ContentFile(b"x"))

    assert garbage.collect_garbage() == 1

    stuck.refresh_from_db()
    assert stuck.collect_at > timezone.now(), "it is tried again later"


def test_a_round_with_nothing_to_do_is_one_statement(
    alice: User, settings: Any, broker: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_ready([JobFactory(owner=alice).pk])
    JobFactory(owner=alice, status=Status.PROCESSING)
    JobFactory(owner=alice, status=Status.COMPLETED)
    asked_broker = Mock()
    monkeypatch.setattr("jobs.engine.broker.broker_messages", asked_broker)
    look = dispatcher.FastSweeps()

    with CaptureQueriesContext(connection) as asked:
        look()

    assert len(asked) == 1, asked.captured_queries
    assert not asked_broker.called


@pytest.mark.parametrize("chore", ["sweep_due_jobs", "sweep_expired_leases", "sweep_blocked_jobs"])
def test_a_round_runs_the_sweeps_that_have_work(
    alice: User, monkeypatch: pytest.MonkeyPatch, chore: str
) -> None:
    past = timezone.now() - timedelta(seconds=30)
    due: dict[str, dict[str, Any]] = {
        "sweep_due_jobs": {"published_at": past},
        "sweep_expired_leases": {"status": Status.PROCESSING, "lease_until": past},
        "sweep_blocked_jobs": {"held": True},
    }
    JobFactory(owner=alice, **due[chore])
    done = {name: Mock(__name__=name, return_value=0) for name in due}
    for name, sweep in done.items():
        monkeypatch.setattr(dispatcher, name, sweep)

    dispatcher.FastSweeps()()

    assert [name for name, sweep in done.items() if sweep.called] == [chore]


def test_a_slow_sweep_does_not_delay_a_rescue(
    running_job: DownloadJob, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DISPATCH_EVERY_SECONDS = 0.01
    DownloadJob.objects.update(lease_until="2000-01-01T00:00Z")
    rescued, stop = threading.Event(), threading.Event()

    def collect() -> int:
        assert rescued.wait(10)  # a collection that lasts until a job was rescued
        stop.set()
        return 0

    def rescue() -> int:
        rescued.set()
        return 0

    nothing = dict.fromkeys(
        ["sweep_due_jobs", "expire_artifacts", "expire_task_results", "expire_idempotency_keys"]
    )
    for name, sweep in {
        **nothing,
        "collect_garbage": collect,
        "sweep_expired_leases": rescue,
    }.items():
        monkeypatch.setattr(dispatcher, name, sweep or Mock(__name__=name, return_value=0))

    dispatcher.run_dispatcher(stop)

    assert stop.is_set()


def test_a_sweep_that_goes_on_failing_logs_its_traceback_once(
    db: None, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception | None] = [
        OSError("refused"),
        OSError("refused"),
        None,
        OSError("again"),
    ]

    def sweep_of_this_test() -> int:
        if error := errors.pop(0):
            raise error
        return 0

    for _ in range(4):
        dispatcher._try(sweep_of_this_test)

    failures = [each for each in caplog.records if "sweep failed" in str(each.msg)]
    traced = [bool(each.msg["exc_info"]) for each in failures if isinstance(each.msg, dict)]
    assert len(failures) == 3
    assert traced == [True, False, True]
