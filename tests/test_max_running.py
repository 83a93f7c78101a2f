"""A kind decides how many of its jobs run at once, in all workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import connection

from jobs.engine import sweeps
from jobs.engine.max_running import claim_job
from jobs.engine.runner import run_job
from jobs.errors import StaleJob
from jobs.kinds.mistakes import mistakes
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Status
from tests.factories import JobFactory
from tests.kinds import SmallKind

WORKERS = 12


class Licensed(SmallKind):
    """Needs a licence for each job that runs; there are two."""

    name, label = "licensed", "Licensed"
    max_running = 2


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, Licensed.name, Licensed())


@pytest.fixture
def rung() -> Iterator[list[str]]:
    """Return the ids of the jobs whose doorbells were sent."""
    ids: list[str] = []
    with (
        patch("jobs.engine.max_running.ring_doorbell_soon", lambda bell: ids.append(bell.job_id)),
        patch("jobs.engine.doorbell.send_doorbells"),
    ):
        yield ids


def claim(job: DownloadJob) -> bool:
    try:
        claim_job(DownloadJob(pk=job.pk), task_id="task", worker="worker")
    except StaleJob:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_do_not_exceed_it(alice: User) -> None:
    jobs = [JobFactory(owner=alice, kind="licensed") for _ in range(WORKERS)]
    together = Barrier(WORKERS)

    def claim_together(job: DownloadJob) -> bool:
        together.wait()
        return claim(job)

    with ThreadPoolExecutor(WORKERS) as workers:
        claimed = list(workers.map(claim_together, jobs))

    assert sum(claimed) == 2
    queued = DownloadJob.objects.filter(status=Status.QUEUED)
    assert queued.count() == WORKERS - 2
    assert not queued.filter(events__event="claim").exists()
    assert set(queued.values_list("attempt", flat=True)) == {0}


@pytest.mark.django_db(transaction=True)
def test_other_kinds_are_not_held_up(alice: User) -> None:
    for _ in range(2):
        assert claim(JobFactory(owner=alice, kind="licensed"))

    assert claim(JobFactory(owner=alice, kind="bundle"))


@pytest.mark.django_db(transaction=True)
def test_the_end_of_an_attempt_sends_the_next_doorbells(
    alice: User, bucket: None, rung: list[str]
) -> None:
    first, urgent, last = (
        JobFactory(owner=alice, kind="licensed", params={}, priority=priority)
        for priority in (4, 9, 0)
    )
    JobFactory(owner=alice, kind="bundle")

    run_job(first.pk, task_id="task", worker="worker")

    assert DownloadJob.objects.get(pk=first.pk).status == Status.COMPLETED
    assert rung == [urgent.pk, last.pk]


def test_a_kind_that_is_full_gets_no_doorbells_from_the_dispatcher(
    alice: User, rung: list[str]
) -> None:
    JobFactory(owner=alice, kind="licensed", status=Status.PROCESSING)
    JobFactory(owner=alice, kind="licensed", published_at=None)
    assert sweeps.sweep_due_jobs() == 1

    JobFactory(owner=alice, kind="licensed", status=Status.PROCESSING)
    DownloadJob.objects.update(published_at=None)
    assert sweeps.sweep_due_jobs() == 0


def test_a_limit_of_zero_is_a_mistake() -> None:
    class Never(Licensed):
        max_running = 0

    (mistake,) = mistakes(Never)
    assert mistake.check_id == "jobs.E041"
    assert mistake.sentence.endswith("Never.max_running is 0.")
