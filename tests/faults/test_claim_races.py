"""Two workers that claim the next job of the queue at the same moment, 500 times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from jobs.engine import claims
from jobs.engine.kind_speeds import KindSpeed
from jobs.errors import NothingReady
from jobs.models import DownloadJob, QueueLimit
from jobs.models.lane import make_ready
from jobs.states import Status
from tests.factories import JobFactory
from tests.faults.rig import Figure

pytestmark = pytest.mark.django_db(transaction=True)

RACES = 500
Round = tuple[DownloadJob | None, ...]


@pytest.fixture(autouse=True)
def one_second_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = KindSpeed(1.0, 0)
    monkeypatch.setattr("jobs.engine.claims.kind_speed", lambda kind: speed)


def race(prepare: Callable[[], object]) -> list[Round]:
    """Claim in two threads at once, in each round. `prepare` is called before a round."""

    def start_round() -> None:
        prepare()
        connection.close()  # of the thread that came last

    gate = Barrier(2, action=start_round)

    def claim_each_round(_: int) -> list[DownloadJob | None]:
        found: list[DownloadJob | None] = []
        try:
            for _ in range(RACES):
                gate.wait()
                found.append(None)
                with suppress(NothingReady):
                    found[-1] = claims.claim_next_job(settings.QUEUE, task_id="task", worker="w")
        except Exception:
            gate.abort()  # or the other would wait forever
            raise
        finally:
            connection.close()
        return found

    with ThreadPoolExecutor(2) as threads:
        return list(zip(*threads.map(claim_each_round, range(2)), strict=True))


def ready_one_by_one(*owners: User, count: int = RACES) -> Iterator[DownloadJob]:
    """Yield jobs of the owners in turn, each made ready at that moment."""
    jobs = [JobFactory(owner=owners[n % len(owners)]) for n in range(count)]
    for job in jobs:
        make_ready([job.pk])
        yield job


def winners(rounds: list[Round]) -> list[DownloadJob]:
    return [job for each in rounds for job in each if job]


def note(figures: list[Figure], rounds: list[Round], expected: int) -> None:
    wrong = sum(sum(job is not None for job in each) != expected for each in rounds)
    figures.append(Figure(f"rounds without {expected} claims", wrong, 0, f"of {RACES}"))
    assert wrong == 0


def test_two_claims_of_one_job(alice: User, figures: list[Figure]) -> None:
    """Two workers claim at once, 500 times, and one job is ready: one of them gets it."""
    jobs = ready_one_by_one(alice)

    rounds = race(lambda: next(jobs))

    note(figures, rounds, 1)
    assert len(set(winners(rounds))) == RACES
    assert set(DownloadJob.objects.values_list("attempt", flat=True)) == {1}


@pytest.mark.parametrize("owners", [1, 2])
def test_two_claims_of_two_jobs(alice: User, bob: User, figures: list[Figure], owners: int) -> None:
    """Two workers claim at once, 500 times, and two jobs are ready: each gets one."""
    jobs = ready_one_by_one(*[alice, bob][:owners], count=2 * RACES)

    rounds = race(lambda: [next(jobs), next(jobs)])

    note(figures, rounds, 2)
    assert len(set(winners(rounds))) == 2 * RACES
    assert set(DownloadJob.objects.values_list("attempt", flat=True)) == {1}


def test_two_claims_where_one_may_run(alice: User, figures: list[Figure]) -> None:
    """Two workers claim at once, 500 times, while a limit lets one job run: one gets it."""
    QueueLimit.objects.create(scope="owner", owner=alice, max_running=1)
    jobs = ready_one_by_one(alice, count=RACES + 1)
    next(jobs)

    def end_and_add() -> None:
        for job in DownloadJob.objects.filter(status=Status.PROCESSING):
            job.fail("internal", "It failed.")
        next(jobs)

    rounds = race(end_and_add)

    note(figures, rounds, 1)
