"""Two transitions of the same row at the same moment, 500 times each.

The first cases call the model's methods on connections of their own: traffic would hit these races
too rarely. The last ones race the API against real workers.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from jobs.engine import runner, sweeps
from jobs.engine.submission import resubmit_job, submit_job
from jobs.errors import StaleJob
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory, StoredFileFactory, new_job
from tests.faults.rig import Figure, Rig, assert_consistent_history, slow

pytestmark = pytest.mark.django_db(transaction=True)

RACES = 500
SPREAD_SECONDS = 0.004  # so that the function with fewer steps does not always win
Act = Callable[[DownloadJob], Any]


def queued(owner: User, count: int = RACES) -> list[DownloadJob]:
    params: dict[str, Any] = {"owner": owner, "kind": "bundle", "params": {"file_ids": [70000]}}
    return [new_job(name="a.zip", **params) for _ in range(count)]


def running(owner: User) -> list[DownloadJob]:
    jobs = queued(owner)
    for job in jobs:
        job.claim(task_id=f"task-{job.pk.hex[:8]}", worker="w")
    return jobs


def race(jobs: list[DownloadJob], *acts: Act) -> list[tuple[bool, ...]]:
    """Call all functions at once for each job, each on its own connection. Returns who won."""
    gate = threading.Barrier(len(acts))

    def run(act: Act) -> list[bool]:
        won, chance = [], random.Random(acts.index(act))
        try:
            for job in jobs:
                mine = DownloadJob.objects.get(pk=job.pk)
                gate.wait()
                time.sleep(chance.uniform(0, SPREAD_SECONDS))
                try:
                    won.append(act(mine) is not False)
                except StaleJob:
                    won.append(False)
        except Exception:
            gate.abort()  # or the others would wait forever
            raise
        finally:
            connection.close()
        return won

    with ThreadPoolExecutor(len(acts)) as threads:
        columns = list(threads.map(run, acts))
    return list(zip(*columns, strict=True))


def judged(jobs: list[DownloadJob]) -> list[DownloadJob]:
    """Return the jobs reloaded. The history of each finished one must be consistent."""
    now = list(DownloadJob.objects.filter(pk__in=[job.pk for job in jobs]))
    for job in now:
        if job.is_finished:
            assert_consistent_history(job)
    return now


def claim(job: DownloadJob) -> None:
    job.claim(task_id=f"task-{threading.get_ident()}", worker="w")


def succeed(job: DownloadJob) -> None:
    key = f"{kind_folder(job)}{job.attempt}/a.zip"
    job.succeed(StoredFileFactory.build(file_id=None, key=key, owner=job.owner, made_by=job))


def rescue(job: DownloadJob) -> bool:
    """Rescue as the dispatcher does: under the row's lock, or not at all."""
    with transaction.atomic():
        found = DownloadJob.objects.filter(pk=job.pk, status=Status.PROCESSING).locked().first()
        if found:
            found.rescue(Actor.DISPATCHER)
        return bool(found)


def cancel(job: DownloadJob) -> None:
    job.cancel(Actor.OWNER)


def note(figures: list[Figure], what: str, won: list[tuple[bool, ...]], *, bound: int = 0) -> None:
    """Record how often not exactly one succeeded, and how the wins were distributed."""
    figures.append(Figure(what, sum(sum(each) != 1 for each in won), bound, f"of {len(won)}"))
    for n, wins in enumerate(zip(*won, strict=True)):
        figures.append(Figure(f"won by {n + 1}", sum(wins), None, "races"))


def test_many_claims(alice: User, figures: list[Figure]) -> None:
    """Eight workers claim each of 500 jobs at the same moment."""
    jobs = queued(alice)

    won = race(jobs, *[claim] * 8)

    note(figures, "not exactly one claim", won)
    assert {sum(each) for each in won} == {1}
    assert {job.attempt for job in judged(jobs)} == {1}


def test_cancel_or_succeed(alice: User, figures: list[Figure]) -> None:
    """The owner cancels each of 500 jobs while its worker finishes it."""
    jobs = running(alice)

    won = race(jobs, cancel, succeed)

    note(figures, "not exactly one outcome", won)
    assert {sum(each) for each in won} == {1}
    assert len(set(won)) == 2, "one of them never won: this was no race"
    counts = Counter(job.status for job in judged(jobs))
    assert counts == {
        Status.CANCELLED: sum(cancelled for cancelled, _ in won),
        Status.COMPLETED: sum(succeeded for _, succeeded in won),
    }
    assert StoredFile.objects.filter(made_by__in=jobs).count() == counts[Status.COMPLETED]


def test_rescue_or_succeed(alice: User, figures: list[Figure]) -> None:
    """The dispatcher rescues each of 500 jobs while its worker, considered dead, finishes it."""
    jobs = running(alice)

    won = race(jobs, rescue, succeed)

    note(figures, "not exactly one outcome", won)
    assert {sum(each) for each in won} == {1}
    for job, (rescued, _) in zip(jobs, won, strict=True):
        job.refresh_from_db()
        assert job.status == (Status.QUEUED if rescued else Status.COMPLETED)
        assert job.losses == rescued


@pytest.mark.long
def test_rescue_or_hand_back(alice: User, figures: list[Figure]) -> None:
    """A worker hands back each of 500 jobs while its main process and a dispatcher rescue it."""
    jobs = running(alice)

    def child_died(job: DownloadJob) -> bool:
        runner.process_died(job.task_id)
        return job.events.filter(event=Event.RESCUE, by=Actor.WORKER).exists()

    won = race(jobs, lambda job: job.hand_back(), child_died, rescue)

    note(figures, "not exactly one went through", won)
    for job in judged(jobs):
        assert job.status == Status.QUEUED
        ends = job.events.filter(event__in=[Event.HAND_BACK, Event.RESCUE])
        assert ends.count() == 1
        assert job.losses == ends.filter(event=Event.RESCUE).count()


@pytest.mark.long
def test_cancel_or_claim(alice: User, figures: list[Figure]) -> None:
    """The owner cancels each of 500 jobs while a worker claims it."""
    jobs = queued(alice)

    won = race(jobs, cancel, claim)

    stayed = sum(job.status != Status.CANCELLED for job in judged(jobs))
    figures.append(Figure("not cancelled in the end", stayed, 0, f"of {RACES}"))
    assert all(cancelled for cancelled, _ in won)
    assert not stayed


@pytest.mark.long
def test_cancel_or_retry(alice: User, figures: list[Figure]) -> None:
    """The owner cancels each of 500 jobs while its attempt fails and would be retried."""
    jobs = running(alice)

    won = race(jobs, cancel, lambda job: job.retry("storage_unavailable", "Away.", after_seconds=1))

    stayed = sum(job.status != Status.CANCELLED for job in judged(jobs))
    figures.append(Figure("not cancelled in the end", stayed, 0, f"of {RACES}"))
    assert all(cancelled for cancelled, _ in won)
    assert not stayed


@pytest.mark.long
def test_run_again_twice(alice: User, figures: list[Figure]) -> None:
    """The owner and an operator retry each of 500 failed jobs at the same moment."""
    jobs = [JobFactory(owner=alice, status=Status.FAILED) for _ in range(RACES)]

    won = race(
        jobs,
        lambda job: resubmit_job(job, Actor.OWNER),
        lambda job: resubmit_job(job, Actor.OPERATOR),
    )

    note(figures, "not exactly one", won)
    assert {sum(each) for each in won} == {1}
    assert {job.events.filter(event=Event.REQUEUE).count() for job in jobs} == {1}


@pytest.mark.long
def test_many_dispatchers(alice: User, figures: list[Figure]) -> None:
    """Four dispatchers rescue 500 jobs with an expired lease at the same moment."""
    jobs = running(alice)
    DownloadJob.objects.update(lease_until="2000-01-01T00:00Z")

    def sweep(_: int) -> int:
        try:
            total = 0
            while found := sweeps.sweep_expired_leases():
                total += found
            return total
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        rescued = list(threads.map(sweep, range(4)))
    rescued.append(sweeps.sweep_expired_leases())  # rows that all four skipped the last time

    figures.append(Figure("rescues more than jobs", sum(rescued) - RACES, 0, f"of {RACES}"))
    assert sum(rescued) == RACES
    assert {job.losses for job in judged(jobs)} == {1}


@pytest.mark.long
def test_expire_twice(alice: User, figures: list[Figure]) -> None:
    """Two dispatchers expire each of 500 artifacts while the owner retries the job."""
    due = {"status": Status.COMPLETED, "expires_at": timezone.now() - timedelta(days=1)}
    jobs = [JobFactory(owner=alice, **due) for _ in range(RACES)]

    won = race(
        jobs,
        lambda job: job.expire(),
        lambda job: job.expire(),
        lambda job: resubmit_job(job, Actor.OWNER),
    )

    figures.append(Figure("not expired exactly once", sum(a == b for a, b, _ in won), 0, "of 500"))
    assert all(first != second for first, second, _ in won)
    for job, (_, _, again) in zip(jobs, won, strict=True):
        job.refresh_from_db()
        assert job.status == (Status.QUEUED if again else Status.EXPIRED)


def test_one_key_at_once(alice: User, figures: list[Figure]) -> None:
    """500 times four requests with one idempotency key arrive at the same moment."""
    gate = threading.Barrier(4)

    def send(_: int) -> list[tuple[Any, bool]]:
        params: dict[str, Any] = {"kind": "bundle", "params": {"file_ids": [70000]}}
        made = []
        try:
            for n in range(RACES):
                gate.wait()
                job, is_new = submit_job(owner=alice, key=f"key-{n}", **params)
                made.append((job.pk, is_new))
        except Exception:
            gate.abort()
            raise
        finally:
            connection.close()
        return made

    with ThreadPoolExecutor(4) as threads:
        answers = list(zip(*threads.map(send, range(4)), strict=True))

    doubled = sum(len({job_id for job_id, _ in four}) != 1 for four in answers)
    figures.append(Figure("keys with more than one job", doubled, 0, f"of {RACES}"))
    assert not doubled
    assert {sum(is_new for _, is_new in four) for four in answers} == {1}
    assert DownloadJob.objects.count() == RACES


@pytest.mark.long
def test_cancel_as_it_finishes(service: Rig) -> None:
    """500 jobs on two workers are each cancelled over HTTP about when they finish."""
    for _ in range(2):
        service.worker(**slow(0.2))
    chance = random.Random(3)

    def ask_and_cancel(_: int) -> tuple[str, int]:
        job_id = service.initiate(70000)
        while service.status(job_id)["status"] == "queued":
            time.sleep(0.05)
        time.sleep(chance.uniform(0.1, 0.4))
        return job_id, service.cancel(job_id)

    with ThreadPoolExecutor(6) as threads:
        answers = dict(threads.map(ask_and_cancel, range(RACES)))

    service.judge(within=120, outcomes={"cancelled", "completed"})
    expected = {200: "cancelled", 409: "completed"}
    lies = [job_id for job_id, code in answers.items() if expected[code] != _status(job_id)]
    service.figure("wrong responses", len(lies), bound=0, unit=f"of {RACES}")
    service.figure("cancelled", Counter(answers.values())[200], bound=None, unit=f"of {RACES}")
    assert not lies
    assert len(set(answers.values())) == 2, "they never raced"


def _status(job_id: str) -> str:
    return str(DownloadJob.objects.get(pk=job_id).status)


@pytest.mark.long
def test_workers_come_and_go(service: Rig) -> None:
    """Workers are killed at random moments, twelve times, with 100 jobs of half a second."""
    chance = random.Random(7)
    ids = [service.initiate(70000) for _ in range(100)]
    for _ in range(6):
        first, second = service.worker(**slow(0.5)), service.worker(**slow(0.5))
        time.sleep(chance.uniform(2.5, 5))
        service.kill(first)
        time.sleep(chance.uniform(0, 1))
        service.kill(second)
    service.worker()

    service.judge(within=120, outcomes={"completed", "failed"})
    lost = [job_id for job_id in ids if _status(job_id) == "failed"]
    assert {service.status(job_id)["errorCode"] for job_id in lost} <= {"worker_lost"}
    service.figure("given up after three losses", len(lost), bound=5, unit="of 100")
