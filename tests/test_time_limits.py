"""Time limits of attempts: more time for more work, and little without progress."""

from __future__ import annotations

import os
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs import storage
from jobs.engine import garbage, runner
from jobs.engine.attempt import Attempt
from jobs.engine.heartbeat import Heartbeat
from jobs.engine.time_limit import TimeLimit
from jobs.kinds import Kind
from jobs.kinds import registry as kinds
from jobs.models import DownloadJob, StoredFile
from jobs.states import Event, Status
from jobs.storage.output import PARTS_IN_FLIGHT
from jobs.workspace import Workspace
from tests.factories import JobFactory, RemoteJobFactory, StoredFileFactory, store
from tests.faults.proxy import Proxy
from tests.links import left_behind

pytestmark = pytest.mark.django_db(transaction=True)
GIGABYTE = 10**9
SIZES = [0, 1, 999_999, GIGABYTE, 16 * GIGABYTE, 100 * GIGABYTE, 5 * 2**40]


def run(job: DownloadJob) -> DownloadJob:
    runner.run_job(job.pk, task_id="task-1", worker="worker@test")
    job.refresh_from_db()
    return job


# The limit


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kind", "base"), [("bundle", 300), ("upload", 1800)])
def test_a_zip_and_an_upload_have_a_second_more_for_each_megabyte(
    kind: str, base: int, size: int
) -> None:
    limit = kinds.KINDS[kind].time_limit

    assert limit.seconds(total=size, done=0) == base + size // 1_000_000


def test_a_link_has_more_time_for_received_bytes_only() -> None:
    limit = kinds.KINDS["remote"].time_limit

    assert limit.seconds(total=5 * GIGABYTE, done=0) == 3600
    assert limit.seconds(total=None, done=GIGABYTE) == 3600 + 10_000


def test_a_report_on_a_million_downloads_has_enough_time() -> None:
    assert kinds.KINDS["report"].time_limit.seconds(total=1_000_000, done=0) == 300 + 5_000


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
@pytest.mark.parametrize("total", [None, *SIZES])
def test_the_process_is_killed_after_the_attempts_limit(
    alice: User, kind: str, total: int | None, settings: Any
) -> None:
    job = JobFactory.build(owner=alice, kind=kind, total=total)
    limit = kinds.KINDS[kind].time_limit

    killed_after = kinds.kind_doorbell(job).time_limit_seconds

    found = [total] if total is not None and limit.trusts_total else [0, 3_000, *SIZES]
    for size in found:
        stopped_after = limit.seconds(total=size, done=size)
        assert killed_after >= stopped_after + settings.KILL_AFTER_SECONDS


def test_the_limit_grows_with_the_work(
    job: DownloadJob, build_with: Callable[..., None], settings: Any
) -> None:
    def steady(params: Any, work: Workspace) -> None:
        for _ in range(20):
            time.sleep(0.1)
            work.advance(100_000)
        work.output.write(b"done")

    settings.BEAT_SECONDS = 0.1
    build_with(steady, time_limit_seconds=1)

    assert run(job).status == Status.COMPLETED


def test_sources_of_a_long_attempt_do_not_expire(
    job: DownloadJob, stored_files: list[StoredFile], build_with: Callable[..., None]
) -> None:
    soon = timezone.now() + timedelta(hours=1)
    StoredFile.objects.update(expires_at=soon)
    bundle = kinds.KINDS["bundle"].build

    build_with(bundle, min_speed=10)  # 230,001 s, which is longer than a day

    assert run(job).status == Status.COMPLETED
    for file in StoredFile.objects.filter(file_id__in=job.params["file_ids"]):
        assert file.expires_at > timezone.now() + timedelta(seconds=230_000)


def test_leftovers_of_a_large_job_are_collected_later(alice: User, settings: Any) -> None:
    small, large = (
        JobFactory(owner=alice, status=Status.FAILED, total=size) for size in (5, 10 * GIGABYTE)
    )
    DownloadJob.objects.update(collect_at=small.created_at)

    garbage.collect_garbage()

    for job, extra in ((small, 0), (large, 10_000)):
        job.refresh_from_db()
        after = (job.collect_at - job.finished_at).total_seconds()
        assert after == settings.COLLECT_AGAIN_SECONDS + extra


# An attempt without progress


def test_a_stalled_attempt_is_retried_and_fails_in_the_end(
    job: DownloadJob, build_with: Callable[..., None], settings: Any
) -> None:
    def silent(params: Any, work: Workspace) -> None:
        work.say("Reading")
        time.sleep(60)
        raise AssertionError

    settings.BEAT_SECONDS, settings.STALLED_SECONDS = 0.1, 1
    build_with(silent)

    for _ in range(3):
        run(job)
        assert (job.status, job.error_code) == (Status.QUEUED, "stalled")
        assert job.error == "It made no progress for 1 seconds and was stopped."
        DownloadJob.objects.filter(pk=job.pk).update(available_at=job.created_at)
    run(job)

    assert (job.status, job.error_code, job.attempt) == (Status.FAILED, "stalled", 4)
    assert left_behind(job) == []


def compute(work: Workspace, ends: float) -> None:
    while time.monotonic() < ends:
        zlib.compress(os.urandom(200_000), 9)


def advance(work: Workspace, ends: float) -> None:
    while time.monotonic() < ends:
        time.sleep(0.2)
        work.advance(1)


def say(work: Workspace, ends: float) -> None:
    number = 0
    while time.monotonic() < ends:
        time.sleep(0.2)
        work.say(f"Step {(number := number + 1)}")


@pytest.mark.parametrize("step", [compute, advance, say])
def test_any_progress_is_not_a_stall(
    job: DownloadJob,
    build_with: Callable[..., None],
    settings: Any,
    step: Callable[[Workspace, float], None],
) -> None:
    def build(params: Any, work: Workspace) -> None:
        step(work, time.monotonic() + 3.5)
        work.output.write(b"done")

    settings.BEAT_SECONDS, settings.STALLED_SECONDS = 0.1, 2
    build_with(build)

    assert run(job).status == Status.COMPLETED


@pytest.fixture
def slow_line(bucket: Any, settings: Any) -> Iterator[Proxy]:
    """A slow connection to the store."""
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        options = settings.STORAGES["default"]["OPTIONS"]
        through = options | {"endpoint_url": f"http://127.0.0.1:{proxy.port}"}
        slow = settings.STORAGES["default"] | {"OPTIONS": through}
        settings.STORAGES = settings.STORAGES | {"default": slow}
        proxy.throttle(2_000_000)
        yield proxy


def test_a_part_on_a_slow_connection_is_not_a_stall(
    job: DownloadJob, build_with: Callable[..., None], settings: Any, slow_line: Proxy
) -> None:
    def build(params: Any, work: Workspace) -> None:
        work.output.write(bytes(15_000_000))  # two parts: 4 s and more without progress

    settings.BEAT_SECONDS, settings.STALLED_SECONDS = 0.1, 6
    build_with(build)

    assert run(job).status == Status.COMPLETED


def test_a_stalled_builder_without_checks_ends_with_its_process(
    running_job: DownloadJob, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STALLED_SECONDS, settings.KILL_AFTER_SECONDS, killed = 0, 0, []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    heartbeat = Heartbeat(running_job, TimeLimit(60, 1, 60))
    heartbeat._kill_if_unresponsive()
    assert not killed  # it has only begun

    time.sleep(0.01)
    heartbeat._kill_if_unresponsive()

    assert killed == [(os.getpid(), signal.SIGKILL)]


# Large jobs


def test_a_source_of_another_size_fails_at_once_and_is_named(
    job: DownloadJob, stored_files: list[StoredFile]
) -> None:
    stored = stored_files[0]
    StoredFile.objects.filter(pk=stored.pk).update(size_bytes=stored.size_bytes + 1)

    run(job)

    assert (job.status, job.error_code) == (Status.FAILED, "source_changed")
    assert job.error == "File 70000 has changed since it was stored."
    assert left_behind(job) == []


def test_a_source_whose_content_changed_is_named(
    job: DownloadJob, stored_files: list[StoredFile]
) -> None:
    StoredFile.objects.filter(pk=stored_files[2].pk).update(crc32=1)

    run(job)

    assert job.error == "File 70002 has changed since it was stored."


def test_a_too_large_zip_is_refused_before_it_starts(alice: User) -> None:
    for number in (1, 2):
        StoredFileFactory(file_id=70_600 + number, size_bytes=3 * 2**40)
    job = JobFactory(owner=alice, params={"file_ids": [70_601, 70_602]}, total=6 * 2**40)

    run(job)

    assert (job.status, job.error_code) == (Status.FAILED, "archive_too_large")
    assert job.attempt == 1


class AnySize(Kind):
    max_work = 5 * 2**40


@pytest.mark.parametrize("size", [*SIZES, None])
def test_parts_of_any_size_are_few_enough_and_bounded_in_memory(
    alice: User, size: int | None
) -> None:
    job = RemoteJobFactory.build(owner=alice, total=size, attempt=1)
    attempt = Attempt(job, None, AnySize())  # type: ignore[arg-type]

    output = attempt.output

    assert (5 * 2**40 if size is None else size) <= 9_000 * output._part_bytes
    assert 0 <= output._in_flight <= PARTS_IN_FLIGHT
    in_memory = (output._in_flight + 1) * output._part_bytes
    assert in_memory <= max(storage.output.MEMORY_BYTES, 612 * 2**20)


def test_parts_that_are_too_large_to_wait_are_sent_one_by_one(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.output, "MEMORY_BYTES", 10 * 2**20)
    output = storage.S3Output("results/x/1/large", content_type="text/plain", expected_bytes=0)
    content = os.urandom(20 * 2**20)

    output.write(content)
    output.finish()

    assert b"".join(storage.read_object("results/x/1/large")) == content
    assert output.crc32 == zlib.crc32(content)


def test_a_completion_whose_response_was_lost_succeeds(
    bucket: Any, job: DownloadJob, build_with: Callable[..., None]
) -> None:
    from botocore.exceptions import ReadTimeoutError
    from botocore.httpsession import URLLib3Session

    lost: list[Any] = []

    def lose_once(request: Any, **said: Any) -> None:
        if not lost:
            lost.append(URLLib3Session().send(request))  # completed, but the response is lost
            raise ReadTimeoutError(endpoint_url=request.url)

    build_with(lambda params, work: work.output.write(bytes(9_000_000)))
    events = storage.slow_bucket().client.meta.events
    events.register("before-send.s3.CompleteMultipartUpload", lose_once)
    try:
        run(job)
    finally:
        events.unregister("before-send.s3.CompleteMultipartUpload", lose_once)

    assert lost
    assert (job.status, job.attempt) == (Status.COMPLETED, 1)
    assert [line.event for line in job.events.all()] == [Event.CLAIM, Event.SUCCEED]


def test_the_message_is_right_while_parts_are_joined(
    job: DownloadJob, bucket: Any, build_with: Callable[..., None]
) -> None:
    seen: list[str] = []
    working: list[Any] = []

    def look(request: Any, **said: Any) -> None:
        seen.append(working[0]._heartbeat._message)

    def build(params: Any, work: Workspace) -> None:
        working.append(work)
        work.say("Adding 3 of 3: photo.jpg")
        work.output.write(bytes(9_000_000))

    build_with(build)
    events = storage.slow_bucket().client.meta.events
    events.register("before-send.s3.CompleteMultipartUpload", look)
    try:
        run(job)
    finally:
        events.unregister("before-send.s3.CompleteMultipartUpload", look)

    assert seen == ["Storing the file"]


def test_an_interrupted_read_costs_no_attempt(alice: User, settings: Any, slow_line: Proxy) -> None:
    slow_line.pass_on()
    stored = store(70_700, "large.bin", os.urandom(12_000_000))
    job = JobFactory(owner=alice, params={"file_ids": [70_700]}, total=stored.size_bytes)
    slow_line.cut_after(5_000_000, "client", times=2)

    run(job)

    assert (job.status, job.attempt, job.done) == (Status.COMPLETED, 1, stored.size_bytes)
