"""One attempt, in this process, against the real database and the real bucket."""

from __future__ import annotations

import hashlib
import io
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from jobs import storage
from jobs.engine import estimates, garbage, runner, simulated_delay, sweeps
from jobs.engine.heartbeat import Heartbeat
from jobs.engine.submission import resubmit_job
from jobs.engine.time_limit import TimeLimit
from jobs.errors import Interrupted, SourceMissing, StaleJob, StorageUnavailable
from jobs.kinds.registry import kind_folder
from jobs.lib import database
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Event, Status
from jobs.storage.multipart_upload import MIN_PART_BYTES
from jobs.workspace import Workspace
from tests.factories import JobFactory, StoredFileFactory, store
from tests.links import left_behind

LONG = TimeLimit(60, 1, 60)
pytestmark = pytest.mark.django_db(transaction=True)  # heartbeats have their own connection


def run(job: DownloadJob) -> DownloadJob:
    runner.run_job(job.pk, task_id="task-1", worker="worker@test")
    job.refresh_from_db()
    return job


def history(job: DownloadJob) -> list[str]:
    return [line.event for line in job.events.all()]


def test_a_bundle_is_built_stored_and_recorded(
    job: DownloadJob, stored_files: list[StoredFile]
) -> None:
    run(job)

    assert (job.status, job.attempt, job.progress) == (Status.COMPLETED, 1, 1.0)
    artifact = job.artifact
    content = b"".join(storage.read_object(artifact.key))
    assert artifact.key == f"results/{job.pk}/1/3 files.zip"
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert (artifact.size_bytes, artifact.made_by_id) == (len(content), job.pk)
    with ZipFile(io.BytesIO(content)) as archive:
        for file in stored_files:
            assert hashlib.sha256(archive.read(file.name)).hexdigest() == file.sha256
    assert history(job) == [Event.CLAIM, Event.SUCCEED]
    assert job.collect_at is None


def test_missing_files_fail_the_job_and_are_named(alice: User, bob: User) -> None:
    StoredFileFactory(file_id=70001, owner=bob)
    job = JobFactory(owner=alice, params={"file_ids": [70001, 99_999]})

    run(job)

    assert (job.status, job.error_code) == (Status.FAILED, "source_missing")
    assert job.error == "These files could not be found: 70001, 99999."
    assert job.metadata == {"missingFileIds": [70001, 99_999]}
    assert job.attempt == 1


def test_a_missing_object_is_named_and_nothing_is_stored(
    job: DownloadJob, stored_files: list[StoredFile]
) -> None:
    storage.bucket().delete(stored_files[2].key)

    run(job)

    assert (job.status, job.error_code) == (Status.FAILED, "source_missing")
    assert job.error == "File 70002 could not be found."
    assert job.metadata == {"missingFileIds": [70002]}
    assert left_behind(job) == []


def test_a_changed_source_fails_the_job(job: DownloadJob, stored_files: list[StoredFile]) -> None:
    StoredFile.objects.filter(file_id=70000).update(crc32=1)

    run(job)

    assert (job.status, job.error_code) == (Status.FAILED, "source_changed")
    assert left_behind(job) == []


def test_an_unavailable_store_is_retried_after_1_5_and_30_seconds(
    job: DownloadJob, build_with: Callable[..., None]
) -> None:
    def away(params: Any, work: Workspace) -> None:
        raise StorageUnavailable("The file store could not be reached.")

    build_with(away)

    for delay in (1, 5, 30):
        run(job)
        assert job.status == Status.QUEUED
        waits = (job.available_at - job.updated_at).total_seconds()
        assert waits == pytest.approx(delay, abs=0.5)
        DownloadJob.objects.filter(pk=job.pk).update(available_at=job.created_at)
    run(job)

    assert (job.status, job.error_code) == (Status.FAILED, "storage_unavailable")
    assert (job.attempt, job.failures) == (4, 4)
    assert history(job) == ["claim", "retry"] * 3 + ["claim", "fail"]


def test_a_bug_is_retried_and_its_traceback_is_for_operators_only(
    job: DownloadJob, build_with: Callable[..., None]
) -> None:
    def broken(params: Any, work: Workspace) -> None:
        raise ZeroDivisionError("secret detail")

    build_with(broken)

    run(job)

    assert (job.status, job.error_code) == (Status.QUEUED, "unexpected")
    assert "secret" not in job.error
    assert "ZeroDivisionError: secret detail" in job.events.get(event=Event.RETRY).detail


@pytest.mark.parametrize("where", ["sleep", "loop"])
def test_a_cancel_stops_a_running_builder_wherever_it_is(
    job: DownloadJob, build_with: Callable[..., None], where: str
) -> None:
    def endless(params: Any, work: Workspace) -> None:
        threading.Thread(target=cancel_from_elsewhere, args=[job.pk]).start()
        work.output.write(bytes(20_000_000))
        while True:
            if where == "sleep":
                time.sleep(60)  # as stuck as a socket without data
            else:
                work.say("Busy")

    build_with(endless)
    began = time.monotonic()

    run(job)

    assert time.monotonic() - began < 10  # not a minute
    assert job.status == Status.CANCELLED
    assert history(job) == ["claim", "cancel"]
    assert left_behind(job) == []


def cancel_from_elsewhere(job_id: Any) -> None:
    DownloadJob.objects.get(pk=job_id).cancel(Actor.OWNER)
    connection.close()


def test_a_timeout_is_final(job: DownloadJob, build_with: Callable[..., None]) -> None:
    def slow(params: Any, work: Workspace) -> None:
        time.sleep(60)
        raise AssertionError

    build_with(slow, time_limit_seconds=1)

    run(job)

    assert (job.status, job.error_code) == (Status.FAILED, "timeout")
    assert job.error == "It took longer than 3 seconds and was stopped."  # 1 s, and 1 s per MB
    assert left_behind(job) == []


@pytest.mark.parametrize(
    ("limit", "told"),
    [(300, "5 minutes"), (3600, "60 minutes"), (90, "90 s"), (1801, "30 m"), (107_674, "30 hours")],
)
def test_the_time_limit_is_shown_in_words(
    running_job: DownloadJob, build_with: Callable[..., None], limit: int, told: str
) -> None:
    build_with(lambda params, work: None, time_limit_seconds=limit)

    DownloadJob.objects.update(started_at=timezone.now() - timedelta(days=3))
    runner.process_died("task-1")

    running_job.refresh_from_db()
    assert told in running_job.error


def test_a_builder_that_catches_every_exception_is_stopped(
    job: DownloadJob, build_with: Callable[..., None]
) -> None:
    def stubborn(params: Any, work: Workspace) -> None:
        while True:
            try:
                time.sleep(60)
            except Exception:  # as a library might do
                continue

    build_with(stubborn, time_limit_seconds=1)

    assert run(job).error_code == "timeout"


def test_a_worker_that_stops_hands_the_job_back(
    job: DownloadJob, build_with: Callable[..., None]
) -> None:
    def stopped(params: Any, work: Workspace) -> None:
        raise SystemExit(0)

    build_with(stopped)

    with pytest.raises(SystemExit):
        run(job)

    job.refresh_from_db()
    assert (job.status, job.failures, job.losses) == (Status.QUEUED, 0, 0)
    assert history(job) == ["claim", "hand_back"]


def test_a_superseded_attempt_deletes_only_its_own_object(
    job: DownloadJob, build_with: Callable[..., None]
) -> None:
    def taken_meanwhile(params: Any, work: Workspace) -> None:
        work.output.write(b"late")
        DownloadJob.objects.get(pk=job.pk).rescue(Actor.DISPATCHER)

    build_with(taken_meanwhile)

    run(job)

    assert job.status == Status.QUEUED
    assert history(job) == ["claim", "rescue"]
    assert left_behind(job) == []


def test_a_commit_whose_response_was_lost_keeps_its_object(
    job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed = DownloadJob.succeed

    def cut_after_commit(self: DownloadJob, artifact: StoredFile, **said: Any) -> None:
        succeed(self, artifact)
        raise OperationalError("the connection broke")

    monkeypatch.setattr(DownloadJob, "succeed", cut_after_commit)

    run(job)

    assert job.status == Status.COMPLETED
    assert storage.object_size(job.artifact.key) == job.artifact.size_bytes


@pytest.mark.parametrize("lost", [OperationalError, InterfaceError, InternalError])
def test_an_outcome_is_recorded_once_the_database_is_back(
    job: DownloadJob, monkeypatch: pytest.MonkeyPatch, lost: type[Exception]
) -> None:
    succeed, asked = DownloadJob.succeed, []

    def away_twice(self: DownloadJob, artifact: StoredFile, **said: Any) -> None:
        asked.append(artifact)
        if len(asked) < 3:
            with transaction.atomic():
                artifact.save()
                raise lost("the server is starting")
        succeed(self, artifact)

    monkeypatch.setattr(DownloadJob, "succeed", away_twice)
    monkeypatch.setattr(database, "RETRY_EVERY_SECONDS", 0)

    run(job)

    assert (job.status, job.attempt, job.failures) == (Status.COMPLETED, 1, 0)
    assert history(job) == ["claim", "succeed"]
    assert [file.key for file in job.files.all()] == [job.artifact.key]


def test_a_retry_whose_commit_failed_is_repeated(
    job: DownloadJob, build_with: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    DownloadJob.objects.update(failures=2)  # one more is allowed
    lost = []

    def build(params: Any, work: Workspace) -> None:
        raise StorageUnavailable("Away.")

    def cut_once(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if params and Event.RETRY in params and not lost:
            lost.append(sql)
            raise OperationalError("the connection broke")
        return execute(sql, params, many, context)

    build_with(build)
    monkeypatch.setattr(database, "RETRY_EVERY_SECONDS", 0)

    with connection.execute_wrapper(cut_once):
        run(job)

    assert lost
    assert (job.status, job.failures) == (Status.QUEUED, 3)


def test_a_worker_stops_while_the_database_is_down(
    job: DownloadJob, build_with: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(params: Any, work: Workspace) -> None:
        raise SystemExit

    def away(self: DownloadJob) -> None:
        raise OperationalError("no route")

    build_with(build)
    monkeypatch.setattr(DownloadJob, "hand_back", away)

    with pytest.raises(SystemExit):
        run(job)


def test_a_multipart_upload_whose_response_was_lost_is_deleted(
    bucket: Any, job: DownloadJob, build_with: Callable[..., None]
) -> None:
    from botocore.exceptions import ReadTimeoutError
    from botocore.httpsession import URLLib3Session

    lost = []

    def build(params: Any, work: Workspace) -> None:
        work.output.write(bytes(9_000_000))  # type: ignore[attr-defined]

    def lose_once(request: Any, **said: Any) -> None:
        if not lost:
            lost.append(URLLib3Session().send(request))  # the request arrived, its response is lost
            raise ReadTimeoutError(endpoint_url=request.url)

    build_with(build)
    events = bucket.client.meta.events
    events.register("before-send.s3.CreateMultipartUpload", lose_once)
    try:
        run(job)
    finally:
        events.unregister("before-send.s3.CreateMultipartUpload", lose_once)
    assert len(list(storage.list_open_uploads(kind_folder(job)))) == 1

    garbage.collect_garbage()

    assert job.status == Status.COMPLETED
    assert not list(storage.list_open_uploads(kind_folder(job)))
    assert storage.object_exists(job.artifact.key, 9_000_000)


def test_an_unavailable_database_is_retried_for_a_lease_at_most(
    job: DownloadJob, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def away(self: DownloadJob, *args: Any, **said: Any) -> None:
        raise OperationalError("no route")

    monkeypatch.setattr(DownloadJob, "succeed", away)
    monkeypatch.setattr(DownloadJob, "retry", away)
    monkeypatch.setattr(database, "RETRY_EVERY_SECONDS", 0.05)
    settings.LEASE_SECONDS = 0.2

    run(job)

    assert job.status == Status.PROCESSING  # until its lease has expired


def test_nothing_runs_without_a_claim(job: DownloadJob) -> None:
    job.cancel(Actor.OWNER)

    with pytest.raises(StaleJob):
        run(job)
    with pytest.raises(StaleJob):
        runner.run_job(uuid4(), task_id="t", worker="w")

    assert left_behind(job) == []


def test_the_lease_is_renewed_while_nothing_changes(
    job: DownloadJob, build_with: Callable[..., None], settings: Any
) -> None:
    settings.BEAT_SECONDS, settings.RENEW_SECONDS = 0.1, 0
    seen: list[Any] = []

    def quiet(params: Any, work: Workspace) -> None:
        for _ in range(2):
            seen.append(DownloadJob.objects.get(pk=job.pk).lease_until)
            time.sleep(0.5)

    build_with(quiet)

    run(job)

    assert seen[1] > seen[0]


def test_an_attempt_without_a_database_counts_as_lost(
    job: DownloadJob,
    build_with: Callable[..., None],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.BEAT_SECONDS, settings.FENCE_SECONDS = 0.1, 1

    def unreachable(self: DownloadJob, **told: Any) -> bool:
        raise OperationalError("no route")

    monkeypatch.setattr(DownloadJob, "heartbeat", unreachable)
    monkeypatch.setattr(DownloadJob, "is_current_attempt", unreachable)
    stopped: list[Interrupted] = []

    def endless(params: Any, work: Workspace) -> None:
        try:
            time.sleep(60)
        except Interrupted as stop:
            stopped.append(stop)
            raise
        raise AssertionError

    build_with(endless)

    run(job)

    assert not stopped[0].timed_out
    assert job.status == Status.PROCESSING  # the dispatcher rescues it


def test_an_attempt_whose_heartbeat_thread_dies_is_stopped_and_run_again(
    job: DownloadJob,
    build_with: Callable[..., None],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.BEAT_SECONDS, settings.FENCE_SECONDS = 0.1, 1
    with monkeypatch.context() as broken:
        broken.setattr(Heartbeat, "_run", lambda self: None)
        build_with(lambda params, work: time.sleep(60))
        began = time.monotonic()
        run(job)
        assert time.monotonic() - began < 10
        assert job.status == Status.PROCESSING  # it may be another's now
    build_with(lambda params, work: work.output.write(b"a"))

    DownloadJob.objects.update(lease_until=Now() - timedelta(seconds=1), lane=None)
    assert sweeps.sweep_expired_leases() == 1
    assert run(job).status == Status.COMPLETED
    assert history(job) == ["claim", "rescue", "claim", "succeed"]


def test_the_simulated_delay_waits_first(job: DownloadJob, settings: Any) -> None:
    settings.SIMULATED_DELAY_SECONDS = [1.0, 1.0]
    began = time.monotonic()

    run(job)

    assert time.monotonic() - began >= 1
    assert job.status == Status.COMPLETED


def test_a_poll_shows_the_simulated_delay(job: DownloadJob, settings: Any) -> None:
    settings.SIMULATED_DELAY_SECONDS = [3.0, 3.0]
    polls: list[tuple[str, float, int | None]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen, now = DownloadJob.objects.get(pk=job.pk), time.time()
            polls.append((seen.message, now, estimates.cached_estimate(seen, now)))
        connection.close()

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        run(job)
    finally:
        over.set()
        watcher.join()

    job.refresh_from_db()
    assert job.started_at
    told = [
        (now - job.started_at.timestamp(), left)
        for message, now, left in polls
        if message == "Waiting 3 seconds, as the simulated delay asks"
    ]
    assert len(told) > 5
    assert all(left and 3 - age <= left <= 3 - age + 2.5 for age, left in told if age < 2.9)


@pytest.mark.parametrize(("seconds", "said"), [(1.0, "1 second,"), (42.4, "42 seconds,")])
def test_the_message_of_a_simulated_delay_can_be_parsed(seconds: float, said: str) -> None:
    sentence = simulated_delay.simulated_delay_message(seconds)

    assert f"Waiting {said}" in sentence
    assert simulated_delay.simulated_delay_seconds(sentence) == round(seconds)
    assert simulated_delay.simulated_delay_seconds("Starting") == 0


def test_the_job_of_a_killed_process_is_rescued_once(job: DownloadJob) -> None:
    job.claim(task_id="task-1", worker="w")

    runner.process_died("another")
    job.refresh_from_db()
    assert job.status == Status.PROCESSING

    runner.process_died("task-1")
    runner.process_died("task-1")
    job.refresh_from_db()
    assert (job.status, job.losses) == (Status.QUEUED, 1)


def test_a_process_killed_at_its_time_limit_is_a_timeout_once(job: DownloadJob) -> None:
    job.claim(task_id="task-1", worker="w")

    DownloadJob.objects.update(started_at=timezone.now() - timedelta(days=3))
    runner.process_died("task-1")
    runner.process_died("task-1")

    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "timeout")
    assert history(job) == ["claim", "fail"]


@pytest.mark.parametrize("hours", [-72, 72])
def test_time_limits_do_not_depend_on_the_clock_of_the_worker(
    job: DownloadJob, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    wrong = timezone.now() + timedelta(hours=hours)
    monkeypatch.setattr("django.utils.timezone.now", lambda: wrong)
    monkeypatch.setattr("time.time", lambda: wrong.timestamp())
    job.claim(task_id="task-1", worker="w")
    (running,) = DownloadJob.objects.with_running_time()
    assert not runner.has_overrun(running)

    DownloadJob.objects.update(started_at=Now() - timedelta(hours=24))
    (running,) = DownloadJob.objects.with_running_time()
    assert runner.has_overrun(running)


@pytest.mark.parametrize("dirt", ["a\0b", "a\ud800b"], ids=["NUL", "half a pair"])
def test_a_traceback_that_postgres_refuses_is_stored_cleaned(
    running_job: DownloadJob, dirt: str
) -> None:
    running_job.retry("unexpected", "Sentence.", after_seconds=1, detail=f"RuntimeError: {dirt}")

    assert "RuntimeError: a" in running_job.events.get(event=Event.RETRY).detail


def test_a_completed_upload_without_an_object_is_storage_unavailable(
    job: DownloadJob, build_with: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 may return 200 before it has joined the parts; a PUT is complete with its response."""

    def gone(key: str) -> None:
        raise SourceMissing("A stored file could not be found.")

    monkeypatch.setattr(storage.bucket().objects, "head", gone)
    build_with(lambda order, workspace: workspace.output.write(bytes(MIN_PART_BYTES)))

    run(job)

    assert (job.status, job.error_code) == (Status.QUEUED, "storage_unavailable")


def test_a_failed_heartbeat_is_sent_again(
    running_job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def beat(self: DownloadJob, *, done: int, **told: Any) -> bool:
        sent.append(done)
        if len(sent) == 1:
            raise OperationalError("the connection broke")
        return True

    monkeypatch.setattr(DownloadJob, "heartbeat", beat)
    heartbeat = Heartbeat(running_job, LONG)
    heartbeat.advance(7)

    heartbeat._confirm()
    heartbeat._confirm()

    assert sent == [7, 7]


def test_an_interrupt_during_exit_does_not_leave_the_heartbeat_running(
    running_job: DownloadJob,
) -> None:
    heartbeat = Heartbeat(running_job, LONG)
    before = signal.getsignal(signal.SIGALRM)
    heartbeat.__enter__()
    heartbeat._began = -1_000

    # As if the signal arrived at the first instruction of __exit__, and again inside it.
    heartbeat._on_alarm(signal.SIGALRM, FakeFrame(Heartbeat.__exit__.__code__))  # type: ignore[arg-type]
    heartbeat.__exit__(None, None, None)
    heartbeat._on_alarm(signal.SIGALRM, None)

    assert not heartbeat._thread.is_alive()
    assert signal.getsignal(signal.SIGALRM) == before


def test_a_builder_is_stopped_when_the_database_hangs(
    job: DownloadJob,
    build_with: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.BEAT_SECONDS, settings.FENCE_SECONDS = 0.05, 0.2
    thawed, fenced = threading.Event(), []

    def hang(self: DownloadJob, **said: Any) -> bool:
        return thawed.wait(10)

    def build(params: Any, work: Workspace) -> None:
        try:
            threading.Event().wait(10)  # it never calls its workspace
        except Interrupted as error:
            fenced.append(error.timed_out)
            thawed.set()
            raise

    monkeypatch.setattr(DownloadJob, "heartbeat", hang)
    monkeypatch.setattr(DownloadJob, "is_current_attempt", hang)
    build_with(build)

    job = run(job)

    assert fenced == [False]
    assert job.status == Status.PROCESSING  # until its lease has expired: it may be another's now


@dataclass
class FakeFrame:
    f_code: Any


def test_requeue_measures_the_sources_again(alice: User, bucket: Any) -> None:
    job = JobFactory(owner=alice, status=Status.FAILED, params={"file_ids": [70500]}, total=0)
    store(70500, "late.txt", b"hello")

    resubmit_job(job, Actor.OWNER)

    assert run(job).status == Status.COMPLETED
    assert (job.total, job.done) == (5, 5)
