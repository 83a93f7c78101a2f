"""What may go wrong between a doorbell and the start of an attempt, and while one is cancelled."""

from __future__ import annotations

import time

import pytest
import redis
from django.conf import settings
from django.db import connection

from jobs.models import DownloadJob
from tests.faults.crowd import Crowd
from tests.faults.rig import Rig, slow
from tests.live import until


def test_a_doorbell_more_and_a_doorbell_less(service: Rig) -> None:
    """Ten jobs have eleven doorbells, then ten others have nine, before a worker starts."""
    ids = [service.initiate(70000) for _ in range(10)]
    until(lambda: service.doorbells() == 10)
    service.ring(ids[0])
    worker = service.ready_worker()
    service.figure("until the first ten were done", service.timed(service.all_final), bound=10)
    until(lambda: worker.log.read_text().count("no job is ready"), 10, service.logs)

    service.freeze(worker)
    for _ in range(10):
        service.initiate(70000)
    until(lambda: service.doorbells() >= 10)
    assert lose_a_doorbell(service.redis)
    service.thaw(worker)
    service.figure("until the others were done", service.timed(service.all_final), bound=15)

    service.judge()
    service.figure("extra claims", service.count("claim") - 20, bound=0, unit="claims")


def lose_a_doorbell(broker: redis.Redis) -> bool:
    return any(broker.rpop(name) for name in broker.keys(f"{settings.QUEUE}*"))


def test_process_killed_between_claim_and_start(service: Rig) -> None:
    """A pool process dies when it has claimed a job, before its attempt begins."""
    service.worker(SABOTAGE="die_after_claim")
    job_id = service.initiate(70000)
    until((service.folder / "died").exists, 60, service.logs)
    rescued = DownloadJob.objects.filter(pk=job_id, losses=1)
    service.figure("until it was queued again", service.timed(rescued.exists), bound=2)

    service.judge()
    assert service.story(job_id)[:3] == [
        "submit 0 owner", "claim 1 worker", "rescue 1 worker_lost worker",
    ]  # fmt: skip


def test_cancelled_job_whose_worker_restarts(service: Rig) -> None:
    """A worker is killed, its job and a queued one are cancelled, and it starts again."""
    worker = service.ready_worker(**slow(30))
    running, second = service.initiate(70000), service.initiate(70000)
    service.wait_for(running, "processing")
    service.wait_for(second, "processing")
    waiting = service.initiate(70000)

    service.kill(worker)
    assert [service.cancel(job_id) for job_id in (running, second, waiting)] == [200] * 3
    worker.env["SIMULATED_DELAY_SECONDS"] = "0,0"
    service.start_again(worker)
    later = service.initiate(70000)
    service.wait_for(later, "completed")
    time.sleep(6)  # longer than a lease and a lost doorbell

    service.judge(outcomes={"cancelled", "completed"})
    assert service.statuses([running, second, waiting]) == {"cancelled": 3}
    service.figure("extra claims", service.count("claim") - 3, bound=0, unit="claims")


@pytest.mark.long
def test_column_added_under_load(service: Rig) -> None:
    """A migration adds a column to the jobs and another one drops it, while clients use it."""
    for _ in range(2):
        service.worker()
    service.wait_for(service.initiate(70000), "completed")
    with Crowd(service, 70000, every=0.05) as crowd:
        time.sleep(2)
        alter("ADD COLUMN added_note text NOT NULL DEFAULT 'none'")
        time.sleep(4)
        alter("DROP COLUMN added_note")
        time.sleep(4)

    assert crowd.statuses("post") == {202}, crowd.answers
    assert crowd.statuses("poll") == {200}, crowd.answers
    service.figure("slowest POST", crowd.slowest["post"], bound=1)
    service.judge()
    assert not DownloadJob.objects.filter(attempt__gt=1).exists()


def alter(change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute(f"ALTER TABLE jobs_downloadjob {change}")
        cursor.execute("RESET lock_timeout")
