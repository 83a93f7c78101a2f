"""How many jobs run at once, in all workers: limits of kinds and of operators, and pauses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from jobs.engine.claims import ready_jobs
from jobs.engine.runner import run_next_job
from jobs.kinds.mistakes import mistakes
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, QueueLimit
from jobs.states import Status
from tests.claims import WORKERS, claim, claim_at_once
from tests.factories import JobFactory
from tests.factories import ready_jobs as created_ready
from tests.kinds import SmallKind


class Licensed(SmallKind):
    """Needs a licence for each job that runs; there are two."""

    name, label = "licensed", "Licensed"
    max_running = 2


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, Licensed.name, Licensed())


@pytest.fixture
def rung() -> Iterator[Mock]:
    """Return the mock that doorbells are sent with."""
    with patch("jobs.engine.claims.ring_doorbell_soon") as ring:
        yield ring


def ready(owner: User, count: int = 1, **fields: Any) -> list[DownloadJob]:
    return created_ready(owner, count, **{"kind": "licensed", "params": {}} | fields)


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_do_not_exceed_it(alice: User) -> None:
    ready(alice, WORKERS)

    assert len(claim_at_once()) == 2

    queued = DownloadJob.objects.filter(status=Status.QUEUED)
    assert queued.count() == WORKERS - 2
    assert not queued.filter(events__event="claim").exists()
    assert set(queued.values_list("attempt", flat=True)) == {0}


def test_other_kinds_are_not_held_up(alice: User) -> None:
    ready(alice, 3, priority=9)
    (other,) = ready(alice, kind="bundle")

    assert {claim(), claim(), claim()} >= {other}
    assert claim() is None


@pytest.mark.django_db(transaction=True)
def test_the_end_of_an_attempt_sends_a_doorbell_for_the_next_job(
    alice: User, bucket: None, rung: Mock
) -> None:
    first, second = ready(alice, 2)

    run_next_job(settings.QUEUE, task_id="task", worker="worker")

    assert DownloadJob.objects.get(pk=first.pk).status == Status.COMPLETED
    assert rung.call_args.args[0].job_id == second.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_limited", [True, False])
def test_the_end_of_an_attempt_sends_a_doorbell_if_operators_limit_anything(
    alice: User, bucket: None, rung: Mock, monkeypatch: pytest.MonkeyPatch, is_limited: bool
) -> None:
    monkeypatch.setattr("jobs.engine.claims._operators_limits", (float("-inf"), False))
    monkeypatch.delitem(KINDS, "licensed")
    ready(alice, 2, kind="bundle")
    if is_limited:
        limit("owner", max_running=1)

    run_next_job(settings.QUEUE, task_id="task", worker="worker")

    assert rung.called == is_limited


def test_a_kind_that_is_full_gets_no_doorbells_from_the_dispatcher(alice: User) -> None:
    JobFactory(owner=alice, kind="licensed", status=Status.PROCESSING)
    ready(alice, 5)
    assert len(ready_jobs(settings.QUEUE, 10)) == 5

    JobFactory(owner=alice, kind="licensed", status=Status.PROCESSING)
    assert ready_jobs(settings.QUEUE, 10) == []


# What operators decide


def limit(scope: str, **fields: Any) -> None:
    QueueLimit.objects.create(scope=scope, **fields)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        ("service", {}),
        ("kind", {"name": "bundle"}),
        ("owner", {"owner": "alice"}),
        ("owner", {}),
        ("key", {"name": "slow.example.org"}),
        ("key", {}),
    ],
)
def test_limits_are_exact_when_workers_claim_at_once(
    alice: User, scope: str, fields: dict[str, Any]
) -> None:
    limit(scope, max_running=3, **fields | ({"owner": alice} if "owner" in fields else {}))
    ready(alice, WORKERS, kind="bundle", concurrency_key="slow.example.org")

    assert len(claim_at_once()) == 3


def test_a_limit_leaves_the_workers_to_the_others(alice: User, bob: User) -> None:
    limit("owner", owner=alice, max_running=1)
    ready(alice, 5, kind="bundle", priority=9)
    ready(bob, 2, kind="bundle")

    claimed = [claim() for _ in range(4)]

    assert [job and job.owner for job in claimed] == [alice, bob, bob, None]


def test_a_limit_of_ones_own_replaces_the_one_for_each(alice: User, bob: User) -> None:
    limit("owner", max_running=1)
    limit("owner", owner=alice, max_running=2)
    ready(alice, 3, kind="bundle")
    ready(bob, 3, kind="bundle")

    claimed = [job.owner for job in (claim() for _ in range(6)) if job]

    assert sorted(claimed, key=str) == [alice, alice, bob]


@pytest.mark.parametrize("scope", ["service", "kind", "owner", "key"])
def test_what_is_paused_does_not_start(alice: User, scope: str) -> None:
    which = {"kind": {"name": "bundle"}, "owner": {"owner": alice}, "key": {"name": "host"}}
    ready(alice, kind="bundle", concurrency_key="host")
    limit(scope, is_paused=True, **which.get(scope, {}))
    assert claim() is None
    assert ready_jobs(settings.QUEUE, 10) == []

    QueueLimit.objects.update(is_paused=False)
    assert claim()


def test_a_limit_of_zero_is_a_mistake() -> None:
    class Never(Licensed):
        max_running = 0

    (mistake,) = mistakes(Never)
    assert mistake.check_id == "jobs.E041"
    assert mistake.sentence.endswith("Never.max_running is 0.")
