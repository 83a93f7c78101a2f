"""The length of the queue is counted once a second and estimated in between."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.engine import quota
from jobs.engine.queue_depth import CACHED_SECONDS, FULL_SECONDS, QueueDepth
from jobs.engine.submission import submit_job
from jobs.errors import QueueFull
from jobs.models import DownloadJob
from jobs.terms import Terms
from tests.factories import JobFactory

LIMIT = 10


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_depth_is_unknown_before_the_first_count() -> None:
    depth = QueueDepth(Clock())

    assert depth.known(LIMIT) is None
    depth.record(3)
    assert depth.known(LIMIT) == 3


def test_jobs_added_by_this_process_count_at_once() -> None:
    depth = QueueDepth(Clock())
    depth.record(3)

    depth.add()
    depth.add()

    assert depth.known(LIMIT) == 5


def test_after_a_second_one_caller_counts_and_others_use_the_old_number() -> None:
    depth = QueueDepth(clock := Clock())
    depth.record(3)
    depth.add()
    clock.now += CACHED_SECONDS

    assert [depth.known(LIMIT) for _ in range(3)] == [None, 4, 4]
    depth.add()  # before the response, which may or may not include it
    depth.record(2)
    assert depth.known(LIMIT) == 3


def test_after_a_failed_count_another_caller_counts_a_second_later() -> None:
    depth = QueueDepth(clock := Clock())
    depth.record(3)
    clock.now += CACHED_SECONDS
    assert depth.known(LIMIT) is None  # and never finishes

    clock.now += CACHED_SECONDS
    assert depth.known(LIMIT) is None


def test_a_full_queue_is_soon_counted_again() -> None:
    depth = QueueDepth(clock := Clock())
    depth.record(LIMIT)
    clock.now += FULL_SECONDS / 2
    assert depth.known(LIMIT) == LIMIT

    clock.now += FULL_SECONDS / 2

    assert depth.known(LIMIT) is None


def test_the_queue_exceeds_its_limit_only_by_what_others_add_in_a_second() -> None:
    """Three processes that accept as many jobs as they can."""
    clock = Clock()
    processes, queue = [QueueDepth(clock) for _ in range(3)], 0

    def start(depth: QueueDepth) -> None:
        nonlocal queue
        if (known := depth.known(LIMIT)) is None:
            depth.record(known := queue)
        if known < LIMIT:
            queue += 1
            depth.add()

    longest = []
    for _ in range(5):
        for _ in range(100):
            for depth in processes:
                start(depth)
        longest.append(queue)
        clock.now += CACHED_SECONDS

    assert LIMIT < longest[0] <= LIMIT + 2 * LIMIT  # each may add LIMIT that the others do not see
    assert set(longest) == {longest[0]}  # only in the first second


@pytest.mark.django_db
def test_one_process_alone_never_exceeds_the_limit(alice: User, settings: Any) -> None:
    settings.MAX_QUEUED_JOBS = 3

    for _ in range(3):
        submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})
    with pytest.raises(QueueFull):
        submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})

    assert DownloadJob.objects.count() == 3


@pytest.mark.django_db
def test_jobs_that_are_not_due_do_not_count(alice: User, settings: Any) -> None:
    settings.MAX_QUEUED_JOBS = 1
    other = JobFactory(status="processing", owner=alice)
    submit_job(owner=alice, kind="bundle", params={"file_ids": [1]}, terms=Terms(after=(other.pk,)))

    submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})

    assert DownloadJob.objects.count() == 3


@pytest.mark.django_db
def test_jobs_are_accepted_again_after_workers_made_room(
    alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAX_QUEUED_JOBS = 1
    clock = Clock()
    monkeypatch.setattr(quota, "depth", QueueDepth(clock))
    submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})
    with pytest.raises(QueueFull):
        submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})
    DownloadJob.objects.update(status="failed", finished_at="2026-01-01T00:00Z")
    clock.now += FULL_SECONDS

    submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})


@pytest.mark.django_db
def test_between_counts_no_job_is_counted(alice: User) -> None:
    """Nor does anybody ask anything by Django's cursors: all is one statement."""
    submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})
    assert quota.depth.known(LIMIT) == 1
    DownloadJob.objects.all().delete()

    with CaptureQueriesContext(connection) as captured:
        submit_job(owner=alice, kind="bundle", params={"file_ids": [70000]})

    assert quota.depth.known(LIMIT) == 2
    assert not captured.captured_queries
