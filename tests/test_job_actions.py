"""What an operator does with one job: another priority, and deleting it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from jobs import storage
from jobs.engine import garbage
from jobs.engine.submission import change_job_priority
from jobs.errors import StaleJob, StorageUnavailable
from jobs.kinds.registry import kind_folder
from jobs.models import DeletedJob, DownloadJob, JobEvent, StoredFile, Usage
from jobs.models.lane import make_ready
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory, StoredFileFactory


@pytest.mark.django_db(transaction=True)
def test_a_queued_job_gets_a_lane_of_the_new_priority(
    queued_job: DownloadJob, broker: Mock
) -> None:
    make_ready([queued_job.pk])

    change_job_priority(queued_job, 9, detail="olga")

    queued_job.refresh_from_db()
    assert (queued_job.priority, queued_job.status, queued_job.version) == (9, Status.QUEUED, 2)
    assert queued_job.lane
    assert queued_job.lane.priority == 9
    line = queued_job.events.get()
    assert (line.event, line.by, line.detail) == (Event.CHANGE_PRIORITY, Actor.OPERATOR, "olga")
    wait_until_rung(broker)


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


@pytest.fixture
def completed_job(alice: User, bucket: Any) -> DownloadJob:
    """Return a completed job with its file and a leftover of another attempt in the bucket."""
    job: DownloadJob = JobFactory(owner=alice, status=Status.COMPLETED, attempt=2, artifact=None)
    for attempt in (1, 2):
        bucket.save(f"{kind_folder(job)}{attempt}/2 files.zip", ContentFile(b"hello"))
    key = f"{kind_folder(job)}2/2 files.zip"
    job.artifact = StoredFileFactory(
        owner=alice, made_by=job, key=key, role="artifact", file_id=None
    )
    job.save()
    job.events.create(event=Event.SUCCEED, by=Actor.WORKER, attempt=2)
    return job


def test_a_deleted_job_leaves_no_row_no_object_and_no_used_storage(
    completed_job: DownloadJob, alice: User, settings: Any
) -> None:
    job_id = completed_job.pk
    assert Usage.objects.get(owner=alice).stored_bytes == 5

    completed_job.delete_ended()

    assert not DownloadJob.objects.filter(pk=job_id).exists()
    assert not StoredFile.objects.filter(owner=alice).exists()
    assert not JobEvent.objects.filter(job=job_id).exists()
    assert Usage.objects.get(owner=alice).stored_bytes == 0
    assert garbage.collect_deleted_jobs() == 2
    assert not list(storage.list_objects(f"results/{job_id}/"))
    # A worker that outlived its job may store another one meanwhile.
    again = DeletedJob.objects.get(pk=job_id).collect_at
    assert again > timezone.now() + timedelta(seconds=settings.COLLECT_AGAIN_SECONDS - 60)
    long_ago = timezone.now() - timedelta(days=30)
    DeletedJob.objects.update(finished_at=long_ago, collect_at=long_ago)
    garbage.collect_deleted_jobs()
    assert not DeletedJob.objects.exists()


def test_objects_are_deleted_later_if_the_store_is_unavailable(
    completed_job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed_job.delete_ended()
    with monkeypatch.context() as patch:
        away = Mock(side_effect=StorageUnavailable("Away."))
        patch.setattr(storage, "delete_all_objects_but", away)
        assert garbage.collect_deleted_jobs() == 0

    assert DeletedJob.objects.get().collect_at > timezone.now()
    DeletedJob.objects.update(collect_at=timezone.now())
    assert garbage.collect_deleted_jobs() == 2


def test_a_job_without_objects_is_deleted_at_once(alice: User) -> None:
    JobFactory(owner=alice, status=Status.CANCELLED).delete_ended()

    assert not DownloadJob.objects.exists()
    assert not DeletedJob.objects.exists()


def test_an_active_job_is_not_deleted(running_job: DownloadJob) -> None:
    with pytest.raises(StaleJob):
        running_job.delete_ended()

    assert DownloadJob.objects.filter(pk=running_job.pk).exists()
