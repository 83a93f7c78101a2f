"""Workers take turns between owners: whoever asks for one file does not wait behind a thousand."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.engine import tasks
from jobs.engine.kind_speeds import KindSpeed
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, Preferences, QueueLimit, QueueShare
from jobs.models.lane import make_ready
from tests.claims import WORKERS, claim, claim_at_once
from tests.factories import RemoteJobFactory, UserFactory, ready_jobs


@pytest.fixture(autouse=True)
def one_second_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is estimated to take a second."""
    speed = KindSpeed(1.0, 0)
    monkeypatch.setattr("jobs.engine.claims.kind_speed", lambda kind: speed)


def run(job: DownloadJob | None, *, seconds: float = 1.0) -> None:
    """End the job, as if its attempt had taken so long."""
    assert job
    ago = timezone.now() - timedelta(seconds=seconds)
    DownloadJob.objects.filter(pk=job.pk).update(started_at=ago)
    job.refresh_from_db()
    job.fail("internal", "It failed.")


@pytest.fixture
def flood(db: None) -> User:
    """An owner with 50 jobs in the queue."""
    owner = UserFactory(username="flood")
    ready_jobs(owner, 50)
    return owner


def test_an_owner_with_one_job_is_next(flood: User, alice: User) -> None:
    run(claim())
    ready_jobs(alice)

    assert [claim().owner for _ in range(2)] == [alice, flood]  # type: ignore[union-attr]


def test_jobs_of_an_owner_keep_their_order(flood: User) -> None:
    expected = list(DownloadJob.objects.order_by("published_at", "created_at"))

    assert {claim() for _ in range(50)} == set(expected)
    assert claim() is None


def test_owners_share_worker_time_and_not_the_number_of_jobs(flood: User, alice: User) -> None:
    ready_jobs(alice, 50)
    time: Counter[User] = Counter()
    for _ in range(44):
        job = claim()
        assert job
        seconds = 10 if job.owner == flood else 1
        run(job, seconds=seconds)
        time[job.owner] += seconds

    assert abs(time[flood] - time[alice]) <= 11


@pytest.mark.parametrize("estimated_seconds", [0.1, 2, 10])
def test_wrong_estimates_do_not_change_the_shares(
    flood: User, alice: User, monkeypatch: pytest.MonkeyPatch, estimated_seconds: float
) -> None:
    speed = KindSpeed(estimated_seconds, 0)
    monkeypatch.setattr("jobs.engine.claims.kind_speed", lambda kind: speed)
    ready_jobs(alice, 250)
    time: Counter[User] = Counter()
    for _ in range(4):
        slots = [claim() for _ in range(4)]
        for job in slots:
            assert job
            seconds = 10 if job.owner == flood else 1
            run(job, seconds=seconds)
            time[job.owner] += seconds
    for _ in range(150):
        job = claim()
        assert job
        seconds = 10 if job.owner == flood else 1
        run(job, seconds=seconds)
        time[job.owner] += seconds

    assert abs(time[flood] - time[alice]) <= 20


def test_who_was_paused_comes_first_for_a_bounded_time(flood: User, alice: User) -> None:
    ready_jobs(alice, 1)
    run(claim())
    run(claim())
    (limit,) = [QueueLimit.objects.create(scope="owner", owner=alice, is_paused=True)]
    ready_jobs(alice, 20)
    QueueShare.objects.filter(owner=flood).update(used=10_000, started=9_999)

    limit.delete()
    run(claim())

    share = QueueShare.objects.get(owner=alice)
    assert share.used == pytest.approx(9_999 - 300 + 1, abs=0.1)


def test_an_owner_with_twice_the_weight_gets_twice_the_time(flood: User, alice: User) -> None:
    ready_jobs(alice, 50)
    Preferences.objects.create(owner=alice, weight=2)
    taken: Counter[User] = Counter()
    for _ in range(30):
        job = claim()
        assert job
        run(job)
        taken[job.owner] += 1

    assert taken[alice] == pytest.approx(20, abs=1)


def test_a_changed_weight_counts_for_what_is_queued(flood: User, alice: User) -> None:
    ready_jobs(alice, 50)
    for _ in range(10):
        run(claim())
    Preferences.objects.create(owner=flood, weight=9)
    later = Counter()
    for _ in range(20):
        job = claim()
        assert job
        run(job)
        later[job.owner] += 1

    assert later[flood] >= 17


def test_who_was_idle_is_not_ahead_for_that(flood: User, alice: User, bob: User) -> None:
    for _ in range(30):
        run(claim())
    ready_jobs(alice, 10)
    taken = Counter()
    for _ in range(10):
        job = claim()
        assert job
        run(job)
        taken[job.owner] += 1

    assert taken[alice] == pytest.approx(5, abs=1)


def test_priority_comes_first(flood: User, alice: User) -> None:
    run(claim())
    ready_jobs(alice)
    (urgent,) = ready_jobs(flood, priority=9)

    assert claim() == urgent


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("owners", [1, 4])
def test_claims_at_once_take_a_job_each(owners: int) -> None:
    for _ in range(owners):
        ready_jobs(UserFactory(), WORKERS // owners)
    claimed = claim_at_once()

    assert len({job.pk for job in claimed}) == WORKERS


def test_a_blocked_or_scheduled_job_is_not_ready(alice: User) -> None:
    ready_jobs(alice, held=True)
    ready_jobs(alice, available_at=timezone.now() + timedelta(hours=1))

    assert claim() is None


def test_a_queue_gives_only_jobs_of_its_kinds(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS["remote"], "queue", "links", raising=False)
    (bundle,) = ready_jobs(alice)
    link = RemoteJobFactory(owner=alice)
    make_ready([link.pk])

    assert claim("links") == link
    assert claim("links") is None
    assert claim() == bundle


def test_jobs_of_a_newer_release_are_left_to_its_workers(
    alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker says so once, and takes what it knows."""
    ready_jobs(alice, params_version=2)
    ready_jobs(alice, kind="translate")
    left = tasks.JobsLeftToOthers()

    assert claim() is None
    left.log_if_changed()
    left.log_if_changed()
    (known,) = ready_jobs(alice)
    assert claim() == known

    (line,) = [line for line in caplog.messages if "newer worker" in line]
    assert "bundle, version 2" in line
    assert "translate, version 1" in line
