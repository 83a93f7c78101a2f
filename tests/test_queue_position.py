"""How many jobs start before one, why it waits, and when it will be ready."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.engine import claims, estimates, queue_rows, queue_snapshot
from jobs.engine.kind_speeds import KindSpeed
from jobs.engine.queue_snapshot import QueueSnapshot
from jobs.models import DownloadJob, Preferences, QueueLimit, QueueShare, ServiceProcess
from jobs.models.lane import make_ready
from jobs.states import Status
from tests.factories import JobFactory, RemoteJobFactory, UserFactory

SPEED = KindSpeed(1.0, 1 / 1024)


@pytest.fixture(autouse=True)
def constant_speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job takes a second, and another one for each KiB. Queues are read for each request."""
    for name in ("claims.kind_speed", "queue_snapshot.kind_speed", "estimates.cached_speed"):
        monkeypatch.setattr(f"jobs.engine.{name}", lambda kind: SPEED)
    monkeypatch.setattr(queue_snapshot, "KEPT_SECONDS", 0)
    monkeypatch.setattr(queue_snapshot, "MOST_OF_THE_TIME", 1e9)


def ready(owner: User, count: int = 1, **fields: Any) -> list[DownloadJob]:
    factory = RemoteJobFactory if fields.get("kind") == "remote" else JobFactory
    jobs = [factory(owner=owner, **{"total": 0} | fields) for _ in range(count)]
    return in_lanes(jobs)


def in_lanes(jobs: list[DownloadJob]) -> list[DownloadJob]:
    """Put the jobs into their lanes, as if each had come a second after the one before."""
    began = timezone.now() - timedelta(hours=1)
    before = DownloadJob.objects.count() - len(jobs)
    for number, job in enumerate(jobs):
        job.available_at = began + timedelta(seconds=before + number)
        job.save()
    make_ready(job.pk for job in jobs)
    return list(
        DownloadJob.objects.filter(pk__in=[job.pk for job in jobs]).order_by("available_at")
    )


def claim() -> DownloadJob:
    return claims.claim_next_job(settings.QUEUE, task_id="task", worker="worker@test")


def end(job: DownloadJob, seconds: float) -> None:
    ago = timezone.now() - timedelta(seconds=seconds)
    DownloadJob.objects.filter(pk=job.pk).update(started_at=ago)
    job.refresh_from_db()
    job.fail("internal", "It failed.")


def position(job: DownloadJob) -> int | None:
    waiting = estimates.current_waiting(job, timezone.now().timestamp())
    return waiting.place.jobs if waiting and waiting.place else None


def worker(slots: int) -> None:
    ServiceProcess.objects.report(
        ServiceProcess.Role.WORKER, f"worker-{slots}", queues=[settings.QUEUE], slots=slots
    )


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(6))
def test_the_position_is_the_order_of_the_claims(seed: int) -> None:
    random = Random(seed)
    for _ in range(random.randint(1, 6)):
        owner = UserFactory()
        if random.random() < 0.5:
            Preferences.objects.create(owner=owner, weight=random.choice([0.25, 0.5, 2, 4]))
        for _ in range(random.randint(1, 3)):
            fields = {"priority": random.choice([1, 4, 4, 9]), "total": 1024 * random.randint(0, 7)}
            ready(owner, random.randint(1, 5), kind=random.choice(["bundle", "remote"]), **fields)
    waiting = DownloadJob.objects.count()
    for _ in range(random.randrange(waiting)):  # so that owners have used different times
        job = claim()
        if random.random() < 0.5:
            end(job, random.randint(0, 20))

    queued = list(DownloadJob.objects.filter(status=Status.QUEUED, lane__isnull=False))
    positions = {job.pk: position(job) for job in queued}
    taken = [claim().pk for _ in queued]

    assert [positions[pk] for pk in taken] == list(range(len(queued)))


@pytest.mark.django_db
def test_who_took_less_than_estimated_is_before_who_was_idle(alice: User, bob: User) -> None:
    (of_bob,) = ready(bob)
    (of_alice,) = ready(alice)
    share = {"queue": settings.QUEUE, "owner": alice}
    QueueShare.objects.create(**share, used=100, started=200)  # it is 200 in the queue

    assert [position(of_alice), position(of_bob)] == [0, 1]
    assert [claim(), claim()] == [of_alice, of_bob]


@pytest.mark.django_db
def test_who_asks_for_one_file_is_not_behind_a_thousand(alice: User, bob: User) -> None:
    many = ready(bob, 30)
    (one,) = ready(alice)

    assert position(one) == 1  # the first of the other owner's, which is older
    assert [position(job) for job in many[:3]] == [0, 2, 3]


@pytest.mark.django_db
def test_a_job_that_has_come_since_is_last_of_its_owner(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = ready(alice)
    assert position(first) == 0
    monkeypatch.setattr(queue_snapshot.CACHE, "_fresh_until", float("inf"))

    (second,) = ready(alice)

    assert position(second) == 1


@pytest.mark.django_db
def test_the_first_job_of_an_owner_is_placed_before_the_queue_is_read_again(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = ready(bob, 8)
    for _ in range(4):
        end(claim(), 1)
    assert position(jobs[-1]) == 3
    monkeypatch.setattr(queue_snapshot.CACHE, "_fresh_until", float("inf"))

    (new,) = ready(alice)

    assert position(new) == 0


@pytest.mark.django_db
def test_places_far_behind_are_sampled(alice: User) -> None:
    jobs = ready(alice, 60)

    found = [position(job) or 0 for job in jobs]

    assert found[:17] == list(range(17))
    assert found == sorted(found)
    assert all(place <= at < place * 1.11 + 1 for place, at in enumerate(found))


@pytest.mark.django_db
def test_of_a_long_lane_the_position_is_a_lower_bound(
    client_of_alice: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_rows, "MAX_ROWS", 10)
    jobs = ready(alice, 30)

    body = status(client_of_alice, jobs[-1])

    assert (body["position"], body["message"]) == (10, "More than 10 ahead of you")


def status(client: APIClient, job: DownloadJob) -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"/v1/download/status/{job.pk}").json()
    return body


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "shown", "message"),
    [
        (0, 0, "Waiting for a worker"),
        (2, 2, "2 ahead of you"),
        (18, 18, "About 18 ahead of you"),
        (120, 120, "About 120 ahead of you"),
    ],
)
def test_the_api_has_the_position(
    client_of_alice: APIClient, alice: User, before: int, shown: int, message: str
) -> None:
    jobs = ready(alice, before + 1, message="Waiting for a worker")

    body = status(client_of_alice, jobs[-1])

    assert (body["waitingFor"], body["position"]) == ("worker", shown)
    assert body["message"] == message


def test_a_large_position_has_two_digits() -> None:
    from jobs.web.queue_text import rounded_position

    places = [estimates.Place(jobs, 0.0) for jobs in (99, 129, 1_987, 123_456)]
    assert [rounded_position(place) for place in places] == [99, 120, 1_900, 120_000]


@pytest.mark.django_db
def test_a_poll_is_304_until_the_position_changes(
    client_of_alice: APIClient, alice: User, constant_etag: None
) -> None:
    *_, last = ready(alice, 3)
    url = f"/v1/download/status/{last.pk}"
    client_of_alice.get(url)  # which reads the queue
    headers = {"If-None-Match": client_of_alice.get(url)["ETag"]}

    same = client_of_alice.get(url, headers=headers)
    claim()
    client_of_alice.get(url)
    moved = client_of_alice.get(url, headers=headers)

    assert (same.status_code, moved.status_code) == (304, 200)
    assert moved.json()["position"] == 1


@pytest.mark.django_db
def test_a_running_job_waits_for_nothing(client_of_alice: APIClient, alice: User) -> None:
    ready(alice)

    body = status(client_of_alice, claim())

    assert "position" not in body
    assert "waitingFor" not in body


@pytest.mark.django_db
def test_the_api_says_what_else_it_waits_for(client_of_alice: APIClient, alice: User) -> None:
    later = timezone.now() + timedelta(hours=1)
    scheduled = JobFactory(owner=alice, run_at=later, available_at=later)
    held = JobFactory(owner=alice, held=True)
    ready(alice)
    failed = claim()
    failed.retry("storage_unavailable", "The store is away.", after_seconds=30)

    found = [status(client_of_alice, job) for job in (scheduled, held, failed)]

    assert [body["waitingFor"] for body in found] == ["schedule", "dependencies", "retry"]
    assert {body["position"] for body in found} == {None}


@pytest.mark.django_db
def test_a_pause_is_told_with_its_reason(client_of_alice: APIClient, alice: User) -> None:
    QueueLimit.objects.create(scope="kind", name="bundle", is_paused=True, reason="Disk is full.")
    (job,) = ready(alice)

    body = status(client_of_alice, job)

    assert (body["waitingFor"], body["position"]) == ("paused", None)
    assert body["message"] == "Paused by the operators: Disk is full"
    assert body["estimatedSecondsRemaining"] is None


@pytest.mark.django_db
def test_the_limit_of_the_owner_is_told(client_of_alice: APIClient, alice: User, bob: User) -> None:
    QueueLimit.objects.create(scope="owner", max_running=2)
    jobs = ready(alice, 4)
    (other,) = ready(bob)
    for _ in range(3):
        claim()

    body = status(client_of_alice, jobs[-1])

    assert (body["waitingFor"], body["position"]) == ("limit", 1)
    assert body["message"] == ("You have 2 running, which is your limit; it starts when one ends")
    assert body["estimatedSecondsRemaining"] is None  # when one ends is not known
    other.refresh_from_db()
    assert other.status == Status.PROCESSING


@pytest.mark.django_db
@pytest.mark.parametrize("scope", [{"scope": "kind", "name": "bundle"}, {"scope": "service"}])
def test_other_limits_tell_nothing_about_others(
    client_of_alice: APIClient, alice: User, bob: User, scope: dict[str, str]
) -> None:
    QueueLimit.objects.create(max_running=1, **scope)
    ready(bob)
    claim()
    (job,) = ready(alice)

    body = status(client_of_alice, job)

    assert body["waitingFor"] == "limit"
    assert body["message"] == "The limit on running downloads is reached; it starts when one ends"


@pytest.mark.django_db
def test_what_is_blocked_is_ahead_of_nobody(alice: User, bob: User) -> None:
    QueueLimit.objects.create(scope="owner", owner=bob, is_paused=True)
    ready(bob, 5, priority=9)

    (job,) = ready(alice)

    assert position(job) == 0


@pytest.mark.django_db
def test_the_blocks_are_those_of_the_claims(alice: User, bob: User) -> None:
    """Compare with jobs_blocked_1 for many limits."""
    random = Random(1)
    for _ in range(6):
        ready(random.choice([alice, bob]), kind=random.choice(["bundle", "remote"]))
    for _ in range(3):
        claim()
    for _ in range(40):
        QueueLimit.objects.all().delete()
        for fields in random.sample(LIMITS, 3):
            owner = {"alice": alice, "bob": bob, None: None}[fields.get("owner")]
            paused = random.random() < 0.3 and (fields["scope"] != "owner" or owner is not None)
            most = random.choice([1, 2, 3, None])
            QueueLimit.objects.create(
                **fields | {"owner": owner}, max_running=most, is_paused=paused
            )
        assert_same_blocks()


LIMITS: list[dict[str, Any]] = [
    {"scope": "service"},
    {"scope": "kind", "name": "bundle"},
    {"scope": "kind", "name": "remote"},
    {"scope": "owner"},
    {"scope": "owner", "owner": "alice"},
    {"scope": "owner", "owner": "bob"},
]


def assert_same_blocks() -> None:
    snapshot = QueueSnapshot.read()
    free = set(claims.ready_jobs(settings.QUEUE, 100))
    queued = DownloadJob.objects.filter(status=Status.QUEUED)
    assert {job.pk for job in queued if snapshot.block(job) is None} == free


@pytest.mark.django_db
def test_a_free_worker_starts_it_at_once(client_of_alice: APIClient, alice: User) -> None:
    worker(slots=4)
    ready(alice, 3, total=100 * 1024)
    claim()
    (job,) = ready(alice, total=1024)

    assert status(client_of_alice, job)["estimatedSecondsRemaining"] in (2, 3)


@pytest.mark.django_db
def test_the_estimate_counts_what_the_workers_have_to_do(
    client_of_alice: APIClient, alice: User
) -> None:
    worker(slots=2)
    ready(alice, 2, total=9 * 1024)  # 10 seconds each
    claim()
    claim()
    ready(alice, 4, total=19 * 1024)  # 20 seconds each
    (job,) = ready(alice, total=4 * 1024)  # 5 seconds

    # (2 * 10 + 4 * 20) / 2 + 5
    assert status(client_of_alice, job)["estimatedSecondsRemaining"] == pytest.approx(55, abs=2)


@pytest.mark.django_db
def test_a_large_upload_is_estimated_by_what_uploads_take(
    client_of_alice: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.engine.estimates.cached_speed", lambda kind: KindSpeed(0.9, 1 / 1e9))
    (job,) = ready(alice, total=59_000_000)

    assert status(client_of_alice, job)["estimatedSecondsRemaining"] <= 2
