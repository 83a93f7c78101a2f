"""What an operator does with one job: another priority."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.engine.submission import change_job_priority
from jobs.errors import StaleJob
from jobs.models import DownloadJob
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory


def rung(broker: Mock) -> list[int]:
    """Return the priorities of the doorbells."""
    return [bell.priority for call in broker.call_args_list for bell in call.args[0]]


@pytest.mark.django_db(transaction=True)
def test_a_new_priority_is_recorded_and_rung_in_its_list(
    queued_job: DownloadJob, broker: Mock
) -> None:
    change_job_priority(queued_job, 9, detail="olga")

    queued_job.refresh_from_db()
    assert (queued_job.priority, queued_job.status, queued_job.version) == (9, Status.QUEUED, 2)
    assert queued_job.published_at is None, "so that the dispatcher rings, too"
    line = queued_job.events.get()
    assert (line.event, line.by, line.detail) == (Event.CHANGE_PRIORITY, Actor.OPERATOR, "olga")
    wait_until_rung(broker)
    assert rung(broker) == [9]


def wait_until_rung(broker: Mock) -> None:
    from tests.live import until

    until(lambda: broker.called)


def test_a_new_priority_does_not_start_a_scheduled_job(
    alice: User, broker: Mock, django_capture_on_commit_callbacks: Any
) -> None:
    later = timezone.now() + timedelta(hours=3)
    job = JobFactory(owner=alice, run_at=later, available_at=later)

    with django_capture_on_commit_callbacks(execute=True):
        change_job_priority(job, 0, detail="olga")

    job.refresh_from_db()
    assert (job.priority, job.available_at, job.run_at) == (0, later, later)
    assert job.is_scheduled
    assert not broker.called


@pytest.mark.parametrize(("status", "priority"), [(Status.PROCESSING, 9), (Status.QUEUED, 4)])
def test_a_priority_that_does_not_apply_changes_nothing(
    alice: User, broker: Mock, status: Status, priority: int
) -> None:
    job = JobFactory(owner=alice, status=status)

    with pytest.raises(StaleJob):
        change_job_priority(job, priority, detail="olga")

    job.refresh_from_db()
    assert (job.priority, job.version) == (4, 1)
    assert not job.events.exists()
