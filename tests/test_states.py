"""Transitions: which are allowed, and for whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.errors import StaleJob
from jobs.models import DownloadJob
from jobs.states import FINAL, MOVES, Actor, Event, Status
from tests.factories import ArtifactFactory, JobFactory

MOVES_AND_STATUSES = [(event, status) for event in MOVES for status in Status]


def make(job: DownloadJob, event: Event) -> None:
    """Call the public method that belongs to the event."""
    verbs = {
        Event.RELEASE: job.release,
        Event.DEPENDENCY_FAILED: lambda: job.fail_with_dependency(
            JobFactory.build(status=Status.FAILED)
        ),
        Event.CLAIM: lambda: job.claim(task_id="t", worker="w"),
        Event.SUCCEED: lambda: job.succeed(ArtifactFactory.build(owner=job.owner, made_by=job)),
        Event.RETRY: lambda: job.retry("code", "Sentence.", after_seconds=1),
        Event.FAIL: lambda: job.fail("code", "Sentence."),
        Event.HAND_BACK: job.hand_back,
        Event.RESCUE: lambda: job.rescue(Actor.DISPATCHER),
        Event.CANCEL: lambda: job.cancel(Actor.OWNER),
        Event.REQUEUE: lambda: job.requeue(Actor.OWNER, total=1),
        Event.EXPIRE: job.expire,
        Event.CHANGE_PRIORITY: lambda: job.change_priority(9, detail="olga"),
    }
    verbs[event]()


@pytest.mark.parametrize(("event", "status"), MOVES_AND_STATUSES)
def test_only_transitions_in_the_table_are_allowed(
    alice: User, event: Event, status: Status
) -> None:
    long_ago = timezone.now() - timedelta(days=2)
    expires_at = long_ago if event == Event.EXPIRE else None
    held = event in (Event.RELEASE, Event.DEPENDENCY_FAILED)
    job = JobFactory(owner=alice, status=status, expires_at=expires_at, held=held)
    version = job.version

    if status in MOVES[event].sources:
        make(job, event)

        job.refresh_from_db()
        assert job.status == MOVES[event].target
        assert job.version == version + 1
        assert [line.event for line in job.events.all()] == [event]
    else:
        with pytest.raises(StaleJob):
            make(job, event)

        job.refresh_from_db()
        assert (job.status, job.version) == (status, version)
        assert not job.events.exists()


def test_a_job_that_is_not_blocked_is_neither_released_nor_failed(queued_job: DownloadJob) -> None:
    for event in (Event.RELEASE, Event.DEPENDENCY_FAILED):
        with pytest.raises(StaleJob):
            make(queued_job, event)

    queued_job.refresh_from_db()
    assert (queued_job.status, queued_job.version) == (Status.QUEUED, 1)
    assert not queued_job.events.exists()


def test_a_second_doorbell_does_not_run_the_job_twice(queued_job: DownloadJob) -> None:
    second = DownloadJob.objects.get(pk=queued_job.pk)
    queued_job.claim(task_id="1", worker="w")

    with pytest.raises(StaleJob):
        second.claim(task_id="2", worker="w")

    second.refresh_from_db()
    assert (second.attempt, second.task_id) == (1, "1")


def test_a_job_is_not_claimed_before_it_is_due(queued_job: DownloadJob) -> None:
    queued_job.available_at = timezone.now() + timedelta(seconds=5)
    queued_job.save()

    with pytest.raises(StaleJob):
        queued_job.claim(task_id="1", worker="w")


def test_a_worker_that_lost_the_job_cannot_finish_it(running_job: DownloadJob) -> None:
    ghost = DownloadJob.objects.get(pk=running_job.pk)
    running_job.rescue(Actor.DISPATCHER)
    running_job.claim(task_id="2", worker="other")

    with pytest.raises(StaleJob):
        ghost.succeed(ArtifactFactory.build(owner=ghost.owner, made_by=ghost))
    with pytest.raises(StaleJob):
        ghost.fail("code", "Sentence.")
    assert not ghost.heartbeat(done=999, message="late")

    running_job.refresh_from_db()
    assert running_job.status == Status.PROCESSING
    assert running_job.done == 0
    assert running_job.artifact is None
    assert not running_job.files.exists()


def test_the_third_loss_fails_the_job(running_job: DownloadJob) -> None:
    for attempt in (2, 3):
        running_job.rescue(Actor.DISPATCHER)
        assert running_job.status == Status.QUEUED
        running_job.claim(task_id=str(attempt), worker="w")

    running_job.rescue(Actor.DISPATCHER)

    assert (running_job.status, running_job.error_code) == (Status.FAILED, "worker_lost")


def test_an_owner_can_cancel_a_newer_attempt_than_they_saw(queued_job: DownloadJob) -> None:
    seen_by_owner = DownloadJob.objects.get(pk=queued_job.pk)
    queued_job.claim(task_id="1", worker="w")

    seen_by_owner.cancel(Actor.OWNER)

    assert DownloadJob.objects.get().status == Status.CANCELLED
    assert not queued_job.is_current_attempt()


def test_requeue_resets_failures_and_keeps_the_attempt_number(running_job: DownloadJob) -> None:
    running_job.fail("code", "Sentence.")

    running_job.requeue(Actor.OPERATOR, total=1)

    assert (running_job.status, running_job.attempt) == (Status.QUEUED, 1)
    assert (running_job.failures, running_job.losses, running_job.error) == (0, 0, "")
    assert running_job.finished_at is None


def test_a_retry_has_a_delay_and_an_error(running_job: DownloadJob) -> None:
    running_job.retry("storage_unavailable", "The store is away.", after_seconds=30, detail="trace")

    wait = (running_job.available_at - running_job.updated_at).total_seconds()
    assert wait == pytest.approx(30, abs=0.5)
    assert running_job.error == "The store is away."
    told = running_job.events.get(event=Event.RETRY)
    assert (told.code, told.detail, told.by) == ("storage_unavailable", "trace", Actor.WORKER)


def test_a_heartbeat_changes_the_version_with_visible_changes(
    running_job: DownloadJob,
) -> None:
    version = running_job.version

    running_job.heartbeat(done=500, message="Half")
    running_job.heartbeat(done=500, message="Half")

    running_job.refresh_from_db()
    assert running_job.version == version + 1
    assert running_job.progress == 0.5


def test_expiry_is_not_a_second_finish(alice: User) -> None:
    past = timezone.now() - timedelta(days=2)
    job = JobFactory(owner=alice, status=Status.COMPLETED, expires_at=past)
    finished_at = job.finished_at

    job.expire()

    assert job.finished_at == finished_at
    assert job.artifact is None


@pytest.mark.parametrize(
    "broken",
    [
        {"status": Status.PROCESSING, "lease_until": None},
        {"status": Status.FAILED, "finished_at": None},
        {"status": Status.QUEUED, "finished_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"status": "odd", "finished_at": None},
        {"status": Status.QUEUED, "lease_until": datetime(2026, 1, 1, tzinfo=UTC)},
        {"progress": 1.5},
        {"total": -1},
        {"failures": -1},
        {"priority": 10},
    ],
    ids=str,
)
def test_constraints_reject_rows_that_do_not_fit_their_status(
    alice: User, broken: dict[str, object]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        JobFactory(owner=alice, **broken)


def test_final_statuses_are_left_only_by_requeue_and_expiry() -> None:
    own_accord = {Event.CLAIM, Event.SUCCEED, Event.RETRY, Event.FAIL, Event.RESCUE}
    left = {source for event in own_accord for source in MOVES[event].sources}
    assert not left & FINAL
