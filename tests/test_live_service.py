"""The whole service in real processes, without faults; tests/faults/ has those."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User

from jobs import storage
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from tests.live import ROOT, Live, children, on_this_database, until
from tests.processing import kernels

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(tmp_path: Path, alice: User, stored_files: list[StoredFile]) -> Iterator[Live]:
    """Web, a worker with two processes, and the dispatcher, on this test's database."""
    live = Live(tmp_path, on_this_database())
    try:
        live.start("dispatcher")
        live.start("web")
        live.sign_in(alice)
        yield live
    finally:
        live.stop()


def assert_done_once(job_id: str) -> DownloadJob:
    """Check for one artifact, no other object in the bucket, and one outcome in the history."""
    job = DownloadJob.objects.get(pk=job_id)
    assert job.status == Status.COMPLETED
    assert [file.key for file in job.files.all()] == [job.artifact.key]
    events = [line.event for line in job.events.all()]
    assert events.count("succeed") == 1
    content = b"".join(storage.read_object(job.artifact.key))
    assert hashlib.sha256(content).hexdigest() == job.artifact.sha256
    return job


def test_a_bundle_from_request_to_download(live: Live, stored_files: list[StoredFile]) -> None:
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


def test_waiting_starts_do_not_delay_polls(live: Live) -> None:
    """150 requests on two processes with 64 threads; without a worker, so that all of them wait."""
    job_id = live.initiate(70000)
    address, asked = f"{live.url}/v1/download/start", {"file_ids": [70001]}
    slowest = 0.0

    with ThreadPoolExecutor(150) as pool:
        starts = [pool.submit(live.session.post, address, json=asked) for _ in range(150)]
        until(lambda: DownloadJob.objects.count() == 151, 60, live.logs)
        for _ in range(20):  # some still wait, until the timeout of `start`
            began = time.monotonic()
            live.status(job_id)
            slowest = max(slowest, time.monotonic() - began)
        still_waiting = sum(not start.done() for start in starts)
        answers = [start.result() for start in starts]

    assert {answer.status_code for answer in answers} == {202}
    assert still_waiting
    assert slowest < 8, slowest


def test_a_cancelled_job_frees_its_slot_at_once(live: Live) -> None:
    live.start("worker", SIMULATED_DELAY_SECONDS="60,60")
    job_id = live.initiate(70000)
    live.wait_for(job_id, "processing")
    waiting = [live.initiate(70000) for _ in range(2)]  # one takes the other slot

    answer = live.session.delete(f"{live.url}/v1/download/{job_id}", timeout=10)
    for each in waiting:
        live.wait_for(each, "processing", seconds=20)  # in the freed slot

    assert answer.json()["status"] == "cancelled"
    assert live.status(job_id)["status"] == "cancelled"


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


def test_the_result_backend_has_the_results_of_attempts(live: Live) -> None:
    from django_celery_results.models import TaskResult

    live.start("worker")
    kept = live.wait_for(live.initiate(70000), "completed")
    StoredFile.objects.filter(file_id=70001).delete()
    job = live.wait_for(live.initiate(70001), "failed")

    result = until(lambda: TaskResult.objects.filter(status="SUCCESS").first())
    assert result.task_name == "jobs.run"
    assert result.task_id == DownloadJob.objects.get(pk=job["jobId"]).task_id
    task_id = DownloadJob.objects.get(pk=kept["jobId"]).task_id
    assert not TaskResult.objects.filter(task_id=task_id).exists()


# Prints the processes whose environment it can read, as the same user without capabilities.
READER = """
import sys
from tests.processing import kernels
kernels.drop_capabilities()
for pid in sys.argv[1:]:
    try:
        open(f"/proc/{pid}/environ", "rb").close()
        print(pid)
    except PermissionError:
        pass
"""


@pytest.fixture
def live_without_capabilities(tmp_path: Path, db: None) -> Iterator[Live]:
    """As in a container. The rights of root would protect the processes, too."""
    live = Live(tmp_path, on_this_database(), become=kernels.drop_capabilities)
    try:
        live.start("dispatcher")
        live.start("web")
        live.start("worker")
        yield live
    finally:
        live.stop()


def test_no_process_shows_its_secrets_to_others_of_its_user(
    live_without_capabilities: Live,
) -> None:
    live = live_without_capabilities
    pids = [process.popen.pid for process in live.processes]
    until(lambda: len(children(pids[2])) == 2, 60, live.logs)
    pids += [child for pid in pids for child in children(pid)]

    def readable() -> str:
        command = [sys.executable, "-c", READER, *map(str, pids)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    until(lambda: not readable(), 20, readable)
    assert len(pids) >= 3 + 2 + 1


def test_no_service_keeps_the_password_of_the_operator(live: Live) -> None:
    worker = live.start("worker", OPERATOR_PASSWORD="open sesame", DEMO_PASSWORD="open barley")
    web = live.start("web", OPERATOR_PASSWORD="open sesame", DEMO_PASSWORD="open barley")
    until(lambda: len(children(worker.popen.pid)) == 2, 60, live.logs)

    for process in (worker, web):
        for pid in [process.popen.pid, *children(process.popen.pid)]:
            assert b"open " not in environment(pid)


def test_a_removed_variable_is_gone_from_proc_too() -> None:
    code = (
        "import os; from jobs.lib.process_memory import forget_process_variable as forget;"
        "forget('OPERATOR_PASSWORD'); forget('NO_SUCH_VARIABLE');"
        "print(open('/proc/self/environ').read(), dict(os.environ), os.popen('env').read())"
    )
    env = os.environ | {"OPERATOR_PASSWORD": "open sesame", "OTHER": "kept"}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )

    assert "sesame" not in done.stdout
    assert done.stdout.count("kept") == 3


def environment(pid: int) -> bytes:
    """Return what this process can read of it: as root, everything."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return b""
