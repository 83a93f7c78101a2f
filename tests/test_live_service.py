"""The whole service in real processes: the main job, and what breaks around it."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest
import redis
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from jobs import storage
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Event, Status
from tests.live import Live, children, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(tmp_path: Path, alice: User, stored_files: list[StoredFile]) -> Iterator[Live]:
    """Web, one worker of two processes, and the dispatcher, on this test's database."""
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    database = connection.settings_dict["NAME"]
    live = Live(tmp_path, {"DATABASE_URL": f"{base}/{database}", "REDIS_URL": own_broker()})
    try:
        live.start("dispatcher")
        live.start("web")
        live.sign_in(alice)
        yield live
    finally:
        live.stop()


def own_broker() -> str:
    """A database of Redis that only this process' tests use, so that it can be emptied."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{settings.CELERY_BROKER_URL.rpartition('/')[0]}/{1 + int(worker)}"


@pytest.fixture
def broker_client() -> redis.Redis:
    return redis.Redis.from_url(own_broker())


def slow(seconds: float) -> dict[str, str]:
    return {"SIMULATED_DELAY_SECONDS": f"{seconds},{seconds}"}


def assert_done_once(job_id: str) -> DownloadJob:
    """Completed, one artifact, nothing else in the bucket, one outcome in the history."""
    job = DownloadJob.objects.get(pk=job_id)
    assert job.status == Status.COMPLETED
    assert [file.key for file in job.files.all()] == [job.artifact.key]
    events = [line.event for line in job.events.all()]
    assert events.count("succeed") == 1
    content = b"".join(storage.read(job.artifact.key))
    assert hashlib.sha256(content).hexdigest() == job.artifact.sha256
    return job


def test_a_bundle_goes_all_the_way(live: Live, stored_files: list[StoredFile]) -> None:
    live.start("worker")
    ids = [file.file_id for file in stored_files]

    job = live.wait_for(live.initiate(*ids), "completed")

    content = live.session.get(f"{live.url}/v1/download/{job['jobId']}", timeout=10).content
    assert hashlib.sha256(content).hexdigest() == job["sha256"]
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [file.name for file in stored_files]
    assert_done_once(job["jobId"])


def test_two_hundred_bundles_at_once_are_each_done_once(live: Live) -> None:
    live.start("worker")

    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda n: live.initiate(70000, 70001, 70002), range(200)))
    done = DownloadJob.objects.filter(status=Status.COMPLETED)
    until(lambda: done.count() == 200, 240, live.logs)

    assert len(set(ids)) == 200
    for job_id in ids:
        assert assert_done_once(job_id).attempt == 1


def test_a_killed_pool_process_costs_its_job_no_lease(live: Live) -> None:
    worker = live.start("worker", **slow(3))
    job_id = live.initiate(70000)
    live.wait_for(job_id, "processing")

    for child in children(worker.popen.pid):
        os.kill(child, signal.SIGKILL)
    live.wait_for(job_id, "completed")

    job = assert_done_once(job_id)
    assert job.attempt == 2
    # The worker's main process saw it die; nobody had to wait for the end of the lease.
    assert job.events.get(event=Event.RESCUE).by == Actor.WORKER


def test_a_killed_worker_loses_no_job(live: Live) -> None:
    first = live.start("worker", **slow(30))
    ids = [live.initiate(70000) for _ in range(4)]
    live.wait_for(ids[0], "processing")

    os.killpg(first.popen.pid, signal.SIGKILL)
    live.start("worker")

    for job_id in ids:
        live.wait_for(job_id, "completed")
        assert_done_once(job_id)


def test_an_orphaned_pool_process_ends_with_its_worker(live: Live) -> None:
    worker = live.start("worker", **slow(30))
    live.wait_for(live.initiate(70000), "processing")
    processes = children(worker.popen.pid)

    os.kill(worker.popen.pid, signal.SIGKILL)

    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in processes), 5)


def test_a_process_that_cannot_be_stopped_is_killed_at_the_hard_limit(live: Live) -> None:
    limits = {"JOB_TIME_LIMIT_SECONDS": "2", "KILL_AFTER_SECONDS": "2", "LEASE_SECONDS": "60"}
    live.start("web", **limits)
    worker = live.start("worker", **limits, FENCE_SECONDS="45", **slow(1))
    job_id = live.initiate(70000)
    live.wait_for(job_id, "processing")

    for child in children(worker.popen.pid):
        os.kill(child, signal.SIGSTOP)  # hears no interrupt, beats no more
    job = live.wait_for(job_id, "failed", seconds=15)

    assert job["errorCode"] == "timeout"
    assert [line.event for line in DownloadJob.objects.get(pk=job_id).events.all()] == [
        "submit", "claim", "fail",
    ]  # fmt: skip
    assert DownloadJob.objects.get(pk=live.initiate(70000)).attempt == 0
    live.wait_for(live.initiate(70000), "completed")


def test_a_broker_that_forgets_everything_loses_no_job(
    live: Live, broker_client: redis.Redis
) -> None:
    live.start("worker", **slow(0.3))
    ids = [live.initiate(70000, 70002) for _ in range(50)]

    broker_client.flushdb()

    done = DownloadJob.objects.filter(status=Status.COMPLETED)
    until(lambda: done.count() == 50, 90, live.logs)
    for job_id in ids:
        assert assert_done_once(job_id).attempt == 1


def test_a_worker_told_to_stop_hands_its_job_back(live: Live) -> None:
    worker = live.start("worker", **slow(60))
    job_id = live.initiate(70000)
    live.wait_for(job_id, "processing")

    worker.popen.send_signal(signal.SIGTERM)
    worker.popen.wait(30)  # the job itself would take a minute

    job = DownloadJob.objects.get(pk=job_id)
    assert (job.status, job.losses, job.failures) == (Status.QUEUED, 0, 0)
    live.start("worker")
    live.wait_for(job_id, "completed")


def test_a_cancelled_job_frees_its_slot_at_once(live: Live) -> None:
    live.start("worker", **slow(60))
    job_id = live.initiate(70000)
    live.wait_for(job_id, "processing")
    waiting = [live.initiate(70000) for _ in range(2)]  # one takes the other slot

    answer = live.session.delete(f"{live.url}/v1/download/{job_id}", timeout=10)
    for each in waiting:
        live.wait_for(each, "processing", seconds=20)  # in the slot that became free

    assert answer.json()["status"] == "cancelled"
    assert live.status(job_id)["status"] == "cancelled"


def test_a_frozen_worker_is_replaced_and_writes_nothing_when_it_wakes(live: Live) -> None:
    frozen = live.start("worker", **slow(8))
    job_id = live.initiate(70000)
    live.wait_for(job_id, "processing")

    os.killpg(frozen.popen.pid, signal.SIGSTOP)
    live.start("worker")
    live.wait_for(job_id, "completed")
    version = DownloadJob.objects.get(pk=job_id).version
    os.killpg(frozen.popen.pid, signal.SIGCONT)
    time.sleep(4)  # what the zombie would do, it would do now

    job = assert_done_once(job_id)
    assert (job.attempt, job.version) == (2, version)
    bucket = storage.bucket()
    found = bucket.client.list_objects_v2(Bucket=bucket.bucket_name, Prefix=job.folder)
    assert [item["Key"] for item in found["Contents"]] == [job.artifact.key]


def test_a_frozen_broker_does_not_hold_a_request(
    tmp_path: Path, live: Live, broker_client: redis.Redis
) -> None:
    """Its address leads to a socket that accepts and says nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        live.start("web", REDIS_URL=f"redis://127.0.0.1:{port}/0")
        took = []
        for _ in range(11):
            began = time.monotonic()
            job_id = live.initiate(70000)
            took.append(time.monotonic() - began)
        assert sorted(took)[5] < 1, "the answers waited for the broker's timeouts"
        assert requests.get(f"{live.url}/health", timeout=8).json()["checks"]["broker"] == "error"
    live.start("worker")
    live.wait_for(job_id, "completed")


def test_the_operators_commands_work(live: Live, tmp_path: Path) -> None:
    import subprocess
    import sys

    live.start("worker")
    celery = [sys.executable, "-m", "celery", "-A", "downloads_project"]

    def command(*arguments: str) -> str:
        env = os.environ | live.env
        done = subprocess.run([*celery, *arguments], env=env, capture_output=True, text=True)
        return done.stdout + done.stderr

    until(lambda: "1 node online" in command("status", "--timeout=3"), 30, live.logs)
    assert "w2@test: OK" in command("inspect", "active", "--timeout=3")
    purged = command("purge", "--force")
    assert "No messages purged" in purged or "Purged" in purged


def test_the_result_backend_tells_operators_what_an_attempt_returned(live: Live) -> None:
    from django_celery_results.models import TaskResult

    live.start("worker")
    job = live.wait_for(live.initiate(70000), "completed")

    result = until(lambda: TaskResult.objects.filter(status="SUCCESS").first())
    assert result.task_name == "jobs.run"
    assert result.task_id == DownloadJob.objects.get(pk=job["jobId"]).task_id
