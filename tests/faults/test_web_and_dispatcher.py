"""Web and dispatcher are killed, frozen, stopped and restarted during requests and sweeps."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from uuid import uuid4

import pytest
import requests
from django.db import connection

from jobs.engine.submission_sql import LOCKS_OF_OWNERS
from jobs.models import DownloadJob, JobEvent
from tests.faults.load import Load
from tests.faults.rig import HELD, Rig, slow, together
from tests.live import children, until

STOPS = {"WEB_STOPS_SECONDS": "5"}


def test_web_dies_between_commit_and_publish(rig: Rig) -> None:
    """A web process ends after its commit and before the doorbell; the client retries."""
    rig.start("dispatcher")
    rig.start("web", SABOTAGE="die_before_publish")
    rig.worker()
    key = str(uuid4())

    with pytest.raises(requests.ConnectionError):
        rig.post(70000, key=key)
    assert DownloadJob.objects.count() == 1  # although the client got no response
    answer = rig.post(70000, key=key)

    assert answer.status_code == 202
    assert answer.headers["Idempotency-Replayed"] == "true"
    rig.figure("done after the second try", rig.timed(rig.all_final), bound=10)
    rig.judge()
    assert DownloadJob.objects.count() == 1


@pytest.mark.long
def test_web_killed_under_load(service: Rig) -> None:
    """All gunicorn processes are killed under 8 clients, and another gunicorn is started."""
    service.ready_worker()
    with Load(service, clients=8) as load:
        time.sleep(2)
        service.kill(service.processes[1])
        began = time.monotonic()
        service.start("web")
        service.figure("until another one responds", time.monotonic() - began, bound=20)
        time.sleep(2)

    service.judge()
    assert load.failed["ConnectionError"] > 0
    assert_every_job_is_known(service)


@pytest.mark.long
def test_web_replaced_under_load(service: Rig) -> None:
    """Another gunicorn is started, then the first is stopped (SIGTERM), under 8 clients."""
    service.ready_worker()
    with Load(service, clients=8) as load:
        time.sleep(2)
        old = service.processes[1]
        service.start("web", **STOPS)
        old.popen.send_signal(signal.SIGTERM)
        began = time.monotonic()
        old.popen.wait(30)
        service.figure("until the old one ended", time.monotonic() - began, bound=27)
        time.sleep(2)

    assert old.popen.returncode == 0
    assert set(load.answers) == {202}
    assert set(load.failed) <= {"ConnectionError"}
    service.figure("attempts without a response", load.failed.total(), bound=8, unit="requests")
    service.judge()
    assert_every_job_is_known(service)


@pytest.mark.long
def test_web_frozen_under_load(service: Rig) -> None:
    """All gunicorn processes are frozen for 7 s under 8 clients that retry after 5 s."""
    service.ready_worker()
    with Load(service, clients=8) as load:
        time.sleep(2)
        service.freeze(service.processes[1])
        time.sleep(7)
        service.thaw(service.processes[1])
        began = time.monotonic()
        n_answers = load.answers.total()
        until(lambda: load.answers.total() > n_answers)
        service.figure("next response after the thaw", time.monotonic() - began, bound=3)
        time.sleep(2)

    assert load.failed["ReadTimeout"] >= 8
    service.judge()
    assert_every_job_is_known(service)


@pytest.mark.long
def test_fifty_posts_with_one_key(rig: Rig) -> None:
    """50 clients post with one key at once, and each commit takes half a second."""
    rig.start("dispatcher")
    rig.start("web", SABOTAGE="slow_commit")
    rig.worker()
    key = str(uuid4())

    answers = together(*[lambda: post_alone(rig, key)] * 50)

    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) <= {202, 409}
    assert codes[202] >= 1
    job_ids = {answer.json()["jobId"] for answer in answers if answer.status_code == 202}
    assert len(job_ids) == 1
    rig.accepted[job_ids.pop()] = [70000]
    rig.figure("jobs", DownloadJob.objects.count(), bound=1, unit="jobs")
    rig.figure("told to retry", codes[409], bound=None, unit="answers")
    rig.judge()


@pytest.mark.long
def test_first_of_two_hangs_before_its_commit(rig: Rig) -> None:
    """The first request with a key hangs in its transaction for 4 s; a second one arrives."""
    rig.start("dispatcher")
    rig.start("web", SABOTAGE="hang_before_insert_once")
    rig.worker()
    key = str(uuid4())

    def second() -> requests.Response:
        until(lambda: owner_is_locked(rig))
        return post_alone(rig, key)

    began = time.monotonic()
    first, refused = together(lambda: post_alone(rig, key), second)
    took = time.monotonic() - began

    assert refused.status_code == 409
    assert refused.json()["code"] == "still_open"
    assert first.status_code == 202
    third = rig.post(70000, key=key)
    assert third.json()["jobId"] == first.json()["jobId"]
    rig.figure("both answered", took, bound=8)
    rig.judge()
    assert DownloadJob.objects.count() == 1


@pytest.mark.long
def test_dispatcher_worker_and_broker_lost_together(service: Rig) -> None:
    """Dispatcher and worker are killed and Redis is flushed; the dispatcher is back after 8 s."""
    worker = service.worker(**HELD)
    for _ in range(12):
        service.initiate(70000)
    until(lambda: service.doorbells() >= 8)  # a full worker holds one or two itself
    until(lambda: service.statuses() == {"processing": 2, "queued": 10})

    service.kill(service.processes[0])
    service.kill(worker)
    service.redis.flushall()
    service.worker()
    time.sleep(8)
    assert service.statuses() == {"processing": 2, "queued": 10}
    assert service.count("rescue") == 0
    service.start("dispatcher")

    service.figure("all done after its return", service.timed(service.all_final), bound=20)
    service.judge()
    assert service.count("rescue") == 2


@pytest.mark.long
def test_three_dispatchers(service: Rig) -> None:
    """Three dispatchers sweep while three workers are killed in turn."""
    for _ in range(2):
        service.start("dispatcher")
    for _ in range(12):
        service.initiate(70000)

    killed = 0
    for _ in range(3):
        before = service.count("claim")
        worker = service.worker(**slow(30))
        until(lambda before=before: service.count("claim") == before + 2, 30, service.logs)
        service.kill(worker)
        killed += 2
        until(lambda killed=killed: rescued(service) == killed, 20, service.logs)
    service.worker()

    service.judge(outcomes={"completed", "failed"})
    service.figure("losses more than kills", rescued(service) - killed, bound=0, unit="losses")
    losses = sum(DownloadJob.objects.values_list("losses", flat=True))
    assert losses == killed


@pytest.mark.long
def test_dispatcher_frozen_while_another_runs(service: Rig) -> None:
    """A dispatcher is frozen past every lease, a worker killed; thawed, it changes nothing."""
    frozen = service.processes[0]
    doomed = service.worker(**slow(30))
    for _ in range(8):
        service.initiate(70000)
    until(lambda: service.statuses()["processing"] == 2)

    service.freeze(frozen)
    service.start("dispatcher")
    service.kill(doomed)
    service.worker()
    service.figure("all done without it", service.timed(service.all_final), bound=20)
    time.sleep(2)
    n_events = JobEvent.objects.count()
    service.thaw(frozen)
    time.sleep(2)

    assert JobEvent.objects.count() == n_events
    service.judge()
    assert service.count("rescue") == 2


@pytest.mark.long
def test_dispatcher_dies_while_it_collects(rig: Rig) -> None:
    """A dispatcher dies between deleting a folder and updating its row; another continues."""
    first = rig.start("dispatcher", SABOTAGE="die_while_collecting")
    rig.start("web")
    worker = rig.worker(**slow(2))
    job_id = rig.initiate(70000)
    rig.wait_for(job_id, "processing")
    for child in children(worker.popen.pid):
        os.kill(child, signal.SIGKILL)

    rig.wait_for(job_id, "completed")
    until(lambda: not first.is_alive, 20, rig.logs)
    assert first.popen.returncode == 9
    assert DownloadJob.objects.exclude(collect_at=None).exists()
    rig.start("dispatcher")

    tidy = DownloadJob.objects.filter(collect_at=None)
    rig.figure("collected by the next one", rig.timed(tidy.exists), bound=10)
    rig.judge()


@pytest.mark.long
def test_dispatcher_stops(service: Rig) -> None:
    """SIGTERM to the dispatcher."""
    service.worker()
    service.wait_for(service.initiate(70000), "completed")
    dispatcher = service.processes[0]

    began = time.monotonic()
    dispatcher.popen.send_signal(signal.SIGTERM)
    dispatcher.popen.wait(30)

    service.figure("until it ended", time.monotonic() - began, bound=3)
    assert dispatcher.popen.returncode == 0
    service.start("dispatcher")
    service.judge()


@pytest.mark.long
def test_everything_killed_at_once(service: Rig) -> None:
    """All processes are killed with 30 jobs queued or running, and restarted."""
    service.worker(**HELD)
    for _ in range(30):
        service.initiate(70000)
    until(lambda: service.statuses() == {"processing": 2, "queued": 28})

    for process in list(service.processes):
        service.kill(process)
    began = time.monotonic()
    for name in ("dispatcher", "web", "worker"):
        service.start(name)

    until(service.all_final, 90, service.logs)
    service.figure("all done after the start", time.monotonic() - began, bound=45)
    service.judge()
    assert service.count("rescue") == 2


def post_alone(rig: Rig, key: str) -> requests.Response:
    """Send a POST over a connection of its own, from any thread."""
    return requests.post(
        f"{rig.url}/v1/download/initiate",
        json={"file_ids": [70000]},
        headers={**rig.session.headers, "Idempotency-Key": key},
        timeout=30,
    )


def owner_is_locked(rig: Rig) -> bool:
    sql = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, [LOCKS_OF_OWNERS])
        return bool(cursor.fetchone())


def rescued(service: Rig) -> int:
    """Return how often a job was taken from a dead worker; the third time it fails."""
    return JobEvent.objects.filter(code="worker_lost").count()


def assert_every_job_is_known(service: Rig) -> None:
    """Each key made one job, and its client knows it."""
    assert DownloadJob.objects.count() == len(service.accepted)
