"""Jobs whose process is killed, freezes or is stopped."""

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from downloads_project.processes import Process
from jobs import storage
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob
from jobs.states import Status
from tests.faults.rig import HELD, Rig, slow
from tests.live import children


def test_pool_process_killed(service: Rig) -> None:
    """SIGKILL to the pool processes of a worker while a job runs."""
    worker = service.worker(**slow(2))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    for child in children(worker.popen.pid):
        os.kill(child, signal.SIGKILL)
    rescued = DownloadJob.objects.filter(pk=job_id, losses=1)
    service.figure("until it was queued again", service.timed(rescued.exists), bound=2)

    service.judge()
    # The worker's main process reported the death; the lease did not have to expire.
    assert "rescue 1 worker_lost worker" in service.story(job_id)


@pytest.mark.long
def test_pool_processes_killed_again_and_again(service: Rig) -> None:
    """SIGKILL to the pool processes of a worker thirty times, each time with another job."""
    worker = service.worker(**slow(60))
    slowest = 0.0
    for _ in range(30):
        job_id = service.initiate(70000)
        service.wait_for(job_id, "processing")
        for child in children(worker.popen.pid):
            os.kill(child, signal.SIGKILL)
        rescued = DownloadJob.objects.filter(pk=job_id, losses=1)
        slowest = max(slowest, service.timed(rescued.exists))
        service.cancel(job_id)
    service.figure("until it was queued again, at worst", slowest, bound=2)

    service.judge(outcomes={"cancelled"})


def test_poison_job(service: Rig) -> None:
    """One job kills its process at every attempt, five others do not."""
    service.worker()
    healthy = [service.initiate(70000) for _ in range(2)]
    poison = service.initiate(70004)
    healthy += [service.initiate(70000) for _ in range(3)]

    job = service.wait_for(poison, "failed")
    service.judge(outcomes={"completed", "failed"})

    assert job["errorCode"] == "worker_lost"
    service.figure("runs of the poison", job["attempts"], bound=3, unit="runs")
    assert service.statuses(healthy) == {"completed": 5}


def test_worker_killed(service: Rig) -> None:
    """SIGKILL to a worker with four jobs; another one is idle."""
    doomed = service.worker(**slow(30))
    ids = [service.initiate(70000) for _ in range(4)]
    service.wait_for(ids[0], "processing")
    service.wait_for(ids[1], "processing")

    service.kill(doomed)
    service.worker()
    again = DownloadJob.objects.filter(attempt=2)
    service.figure("until its jobs were claimed again", service.timed(again.exists), bound=10)

    service.judge()


@pytest.mark.long
def test_main_process_killed(service: Rig) -> None:
    """SIGKILL to a worker's main process only; its pool processes are orphans."""
    worker = service.worker(**slow(30))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")
    pool = children(worker.popen.pid)

    os.kill(worker.popen.pid, signal.SIGKILL)
    ended = service.timed(lambda: not any(map(has_memory, pool)), 10)
    service.figure("until the orphans ended", ended, bound=2)

    service.worker()
    service.judge()


@pytest.mark.long
def test_main_process_frozen(service: Rig) -> None:
    """A worker's main process is frozen; its pool processes continue, and another worker runs."""
    worker = service.worker(**slow(6))
    ids = [service.initiate(70000) for _ in range(2)]
    for job_id in ids:
        service.wait_for(job_id, "processing")

    os.kill(worker.popen.pid, signal.SIGSTOP)
    other = service.worker()
    ids += [service.initiate(70000) for _ in range(10)]
    service.figure("until all was done", service.timed(service.all_final), bound=20)
    os.kill(worker.popen.pid, signal.SIGCONT)

    service.judge()
    assert other.is_alive
    assert DownloadJob.objects.get(pk=ids[0]).attempt == 1  # the pool process sent heartbeats


def test_worker_stops_during_a_long_job(service: Rig) -> None:
    """SIGTERM to a worker that may take two seconds to stop, with a job that takes a minute."""
    worker = service.worker(**slow(60))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    worker.popen.send_signal(signal.SIGTERM)
    service.figure("until it ended", service.timed(lambda: not worker.is_alive), bound=8)
    assert service.story(job_id)[-1] == "hand_back 1 worker"
    service.worker()

    service.judge()
    job = DownloadJob.objects.get(pk=job_id)
    assert (job.attempt, job.losses, job.failures) == (2, 0, 0)


@pytest.mark.long
def test_worker_stops_during_a_short_job(service: Rig) -> None:
    """SIGTERM to a worker that may take two seconds to stop, with a job that takes one second."""
    worker = service.worker(**slow(1))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    worker.popen.send_signal(signal.SIGTERM)
    service.figure("until it ended", service.timed(lambda: not worker.is_alive), bound=8)

    service.judge()
    assert DownloadJob.objects.get(pk=job_id).attempt == 1


@pytest.mark.long
def test_rolling_restart(service: Rig) -> None:
    """Three workers are stopped and replaced one after the other, with 150 jobs."""
    ids = [service.initiate(70000, 70001) for _ in range(150)]
    workers = [service.worker(**slow(0.3)) for _ in range(3)]
    service.wait_for(ids[0], "completed")

    for old in workers:
        assert not service.all_final(ids), "there was nothing to do any more"
        old.popen.send_signal(signal.SIGTERM)
        old.popen.wait(30)
        service.worker(**slow(0.3))

    service.judge(within=120)
    jobs = DownloadJob.objects.filter(pk__in=ids)
    extra = sum(jobs.values_list("attempt", flat=True)) - len(ids)
    service.figure("attempts more than jobs", extra, bound=15, unit="of 150")
    assert not jobs.filter(losses__gt=0).exists()


@pytest.mark.long
def test_worker_killed_half_a_second_after_sigterm(service: Rig) -> None:
    """SIGTERM to a worker, and SIGKILL half a second later, twice."""
    ids = [service.initiate(70000) for _ in range(12)]
    for _ in range(2):
        worker = service.worker(**slow(3))
        service.timed(lambda: DownloadJob.objects.filter(status=Status.PROCESSING).exists())
        worker.popen.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        service.kill(worker)
    service.worker()

    service.figure("until all was done", service.timed(service.all_final), bound=30)
    service.judge()
    assert max(DownloadJob.objects.get(pk=job_id).losses for job_id in ids) <= 2


def test_zombie_worker(service: Rig) -> None:
    """A worker is frozen past its lease while another does its job, and then resumes."""
    zombie = service.worker(**slow(5))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    service.freeze(zombie)
    service.worker()
    service.figure(
        "until another had done it",
        service.timed(lambda: service.status(job_id)["status"] == "completed"),
        bound=15,
    )
    version = DownloadJob.objects.get(pk=job_id).version
    service.thaw(zombie)
    time.sleep(4)  # long enough for the zombie to act

    service.judge()
    assert DownloadJob.objects.get(pk=job_id).version == version


@pytest.mark.long
def test_zombie_with_a_stored_file(service: Rig) -> None:
    """A pool process freezes after its file is stored, and resumes while another attempt runs."""
    frozen = service.worker(SABOTAGE="freeze_before_success")
    job_id = service.initiate(70000)
    job = DownloadJob.objects.get(pk=job_id)
    service.timed(lambda: stored(job))
    service.worker(**slow(4))
    service.timed(lambda: DownloadJob.objects.get(pk=job_id).attempt == 2)

    service.thaw(frozen)
    gone = service.timed(lambda: not stored(job))
    service.figure("until the zombie's file was gone", gone, bound=5)
    assert DownloadJob.objects.get(pk=job_id).status == Status.PROCESSING

    service.judge()
    assert service.story(job_id)[-1] == "succeed 2 worker"


def stored(job: DownloadJob) -> bool:
    """Return True if the first attempt's file is in the bucket."""
    return any(storage.list_objects(f"{kind_folder(job)}1/"))


LIMITS = {"JOB_TIME_LIMIT_SECONDS": "2", "KILL_AFTER_SECONDS": "2"}


def start_limited(rig: Rig, **env: str) -> Process:
    """Start the service with a short time limit. The doorbell has it, so all processes need it."""
    limits = LIMITS | {"LEASE_SECONDS": "60"}
    rig.start("dispatcher", **limits)
    rig.start("web", **limits)
    return rig.worker(**limits | env)


@pytest.mark.long
def test_frozen_pool_process(rig: Rig) -> None:
    """Pool processes are frozen: no interrupt, no heartbeat; the lease is long."""
    worker = start_limited(rig, **slow(1))
    job_id = rig.initiate(70000)
    rig.wait_for(job_id, "processing")

    for child in children(worker.popen.pid):
        os.kill(child, signal.SIGSTOP)
    rig.figure("until it failed", rig.timed(lambda: rig.all_final()), bound=8)
    rig.initiate(70000)

    rig.judge(outcomes={"completed", "failed"})
    assert rig.status(job_id)["errorCode"] == "timeout"


@pytest.mark.long
def test_time_limit(rig: Rig) -> None:
    """A job takes a minute, where two seconds are allowed."""
    start_limited(rig, **slow(60))
    job_id = rig.initiate(70000)
    rig.wait_for(job_id, "processing")

    rig.figure("until it was stopped", rig.timed(rig.all_final), bound=5)

    rig.judge(outcomes={"failed"})
    assert rig.story(job_id)[-1] == "fail 1 timeout worker"


@pytest.mark.long
def test_builder_that_ignores_interrupts(rig: Rig) -> None:
    """A builder ignores every interrupt, as a loop in C would; two seconds are allowed."""
    worker = start_limited(rig)
    deaf = rig.initiate(70006)
    rig.wait_for(deaf, "processing")

    rig.figure("until it was killed", rig.timed(rig.all_final), bound=8)
    rig.initiate(70000)

    rig.judge(outcomes={"completed", "failed"})
    assert rig.story(deaf) == ["submit 0 owner", "claim 1 worker", "fail 1 timeout worker"]
    assert worker.is_alive


@pytest.mark.long
def test_out_of_memory(service: Rig) -> None:
    """A builder runs out of memory at its first attempt."""
    worker = service.worker()
    job_id = service.initiate(70005, 70000)

    service.figure("until it was done", service.timed(service.all_final), bound=20)

    service.judge()
    assert "retry 1 unexpected worker" in service.story(job_id)
    assert "MemoryError" in DownloadJob.objects.get(pk=job_id).events.get(event="retry").detail
    assert worker.is_alive


@pytest.mark.long
def test_bug_in_a_builder(service: Rig) -> None:
    """A builder raises an unexpected error at every attempt; other jobs complete."""
    service.worker()
    buggy = service.initiate(70007)
    healthy = [service.initiate(70000) for _ in range(3)]

    service.judge(within=120, outcomes={"completed", "failed"})

    job = DownloadJob.objects.get(pk=buggy)
    assert service.statuses(healthy) == {"completed": 3}
    assert service.status(buggy)["errorCode"] == "unexpected"
    assert job.events.filter(detail__contains="ZeroDivisionError").count() == 4
    service.figure("attempts", job.attempt, bound=4, unit="attempts")


def test_cancel_before_any_worker(service: Rig) -> None:
    """Twenty jobs are cancelled while no worker runs; then one starts."""
    ids = [service.initiate(70000) for _ in range(20)]
    assert [service.cancel(job_id) for job_id in ids] == [200] * 20
    later = service.initiate(70000)

    service.worker()
    service.wait_for(later, "completed")

    service.judge(outcomes={"cancelled", "completed"})
    claimed = DownloadJob.objects.filter(pk__in=ids, attempt__gt=0).count()
    service.figure("claims of cancelled jobs", claimed, bound=0, unit="claims")


def test_cancel_while_it_uploads(service: Rig) -> None:
    """A job of 40 MB is cancelled while it uploads parts over a slow connection."""
    worker = service.worker()
    service.lines["S3"].throttle(2_000_000)
    job_id = service.initiate(70003)
    service.timed(lambda: service.status(job_id)["done"] > 4_000_000)

    assert service.cancel(job_id) == 200
    stopped = service.timed(lambda: "status=cancelled" in worker.log.read_text())
    service.figure("until the builder had stopped", stopped, bound=4)
    service.lines["S3"].pass_on()

    service.judge(outcomes={"cancelled"})


@pytest.mark.long
def test_disk_for_logs_is_full(service: Rig) -> None:
    """The disk for a worker's log is full: each write to a file is refused."""
    worker = service.worker()
    service.wait_for(service.initiate(70000), "completed")
    size = worker.log.stat().st_size
    for pid in [worker.popen.pid, *children(worker.popen.pid)]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))

    for _ in range(10):
        service.initiate(70000)
    service.figure("until all was done", service.timed(service.all_final), bound=20)

    service.judge()
    assert worker.log.stat().st_size == size, "it could write"


@pytest.mark.long
def test_pool_processes_are_replaced(service: Rig) -> None:
    """More jobs than two pool processes may run before they are replaced."""
    worker = service.ready_worker(**HELD)
    before = set(children(worker.popen.pid))

    for _ in range(230):
        service.initiate(70001)
    service.open_gate()  # so that both are always busy, and each gets its share
    service.figure("until all was done", service.timed(service.all_final, 120), bound=None)

    service.judge()
    assert not before & set(children(worker.popen.pid))
    assert not DownloadJob.objects.filter(attempt__gt=1).exists()


def has_memory(pid: int) -> bool:
    """Return True if it runs, even with hidden memory. False for a zombie."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    return False
