"""Rows that nobody needs any more are deleted, each kind after a time of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from jobs.engine import dispatcher, expiry, quota
from jobs.engine.submission import submit_job
from jobs.models import DownloadJob, JobEvent, Notification
from jobs.states import FINAL, Actor, Event, Status
from jobs.terms import Terms
from tests.factories import (
    ArtifactFactory,
    JobFactory,
    NotificationFactory,
    UploadJobFactory,
    make_of,
)

NOW = timezone.now()
LONG_AGO = NOW - timedelta(days=91)
EARLIER = NOW - timedelta(days=89)


def over(owner: User, at: Any, status: Status = Status.FAILED, **fields: Any) -> DownloadJob:
    """A finished job whose file expired, or which ended, at this time."""
    when = {"expires_at": at, "finished_at": at - timedelta(days=30)}
    if status in {Status.FAILED, Status.CANCELLED}:
        when = {"expires_at": None, "finished_at": at}
    job: DownloadJob = JobFactory(owner=owner, status=status, artifact=None, **(when | fields))
    for event in (Event.SUBMIT, Event.CLAIM):
        JobEvent.objects.record(job, event, Actor.OWNER)
    return job


def left() -> set[Any]:
    return set(DownloadJob.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.EXPIRED])
def test_old_jobs_are_deleted_with_their_history(alice: User, status: Status) -> None:
    old, young = over(alice, LONG_AGO, status), over(alice, EARLIER, status)
    NotificationFactory(job=old, owner=alice, sent=True)

    assert expiry.expire_jobs() == 1

    assert left() == {young.pk}
    assert set(JobEvent.objects.values_list("job", flat=True)) == {young.pk}
    assert not Notification.objects.exists()
    assert expiry.expire_jobs() == 0


def test_a_job_without_a_file_is_kept_from_its_end_on(alice: User) -> None:
    fields = {"expires_at": None, "finished_at": LONG_AGO}
    JobFactory(owner=alice, status=Status.COMPLETED, artifact=None, **fields)

    assert expiry.expire_jobs() == 1


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
def test_an_active_job_is_kept(alice: User, status: Status) -> None:
    JobFactory(owner=alice, status=status, created_at=LONG_AGO, available_at=LONG_AGO)

    assert expiry.expire_jobs() == 0


def test_a_job_is_kept_until_its_objects_are_deleted(alice: User) -> None:
    job = over(alice, LONG_AGO, collect_at=NOW)
    assert expiry.expire_jobs() == 0

    DownloadJob.objects.filter(pk=job.pk).update(collect_at=None)
    assert expiry.expire_jobs() == 1


def test_a_job_is_kept_with_its_files(alice: User) -> None:
    late = JobFactory(owner=alice, status=Status.COMPLETED, expires_at=LONG_AGO)
    failed = over(alice, LONG_AGO)
    preview = make_of(UploadJobFactory(owner=alice), "thumbnail")
    preview.made_by = failed
    preview.save()
    before = quota.audit_quotas(10)

    assert (expiry.expire_jobs(), before) == (0, 0)

    assert {late.pk, failed.pk} <= left()
    preview.delete()
    assert expiry.expire_jobs() == 1
    assert quota.audit_quotas(10) == 0


@pytest.mark.parametrize(
    ("dependent", "kept"),
    [
        ({"status": Status.QUEUED, "held": True}, 2),
        ({"status": Status.FAILED, "finished_at": EARLIER}, 2),
        ({"status": Status.FAILED, "finished_at": LONG_AGO}, 0),
    ],
)
def test_a_job_is_kept_for_those_that_depend_on_it(
    alice: User, dependent: dict[str, Any], kept: int
) -> None:
    JobFactory(owner=alice, **dependent).after.add(over(alice, LONG_AGO))

    expiry.expire_jobs()

    assert len(left()) == kept


def test_a_dependent_outlives_what_it_depended_on(alice: User) -> None:
    dependent = over(alice, EARLIER)
    dependency = over(alice, LONG_AGO, Status.EXPIRED)
    dependent.after.add(dependency)
    assert expiry.expire_jobs() == 0

    DownloadJob.objects.update(finished_at=LONG_AGO)
    assert expiry.expire_jobs() == 2
    assert not DownloadJob.after.through.objects.exists()


def test_a_job_is_kept_until_its_messages_are_sent(alice: User) -> None:
    message = NotificationFactory(job=over(alice, LONG_AGO), owner=alice)
    assert expiry.expire_jobs() == 0

    message.mark_failed("refused", retry_in_seconds=None)
    assert expiry.expire_jobs() == 1


def test_a_job_that_is_run_again_meanwhile_is_kept(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = over(alice, LONG_AGO)
    job.requeue(Actor.OWNER, total=None)

    assert expiry.expire_jobs() == 0
    assert left() == {job.pk}


def test_the_key_of_a_deleted_job_can_be_used_again(alice: User, broker: Any) -> None:
    def submit() -> DownloadJob:
        params = {"file_ids": [], "job_ids": []}
        return submit_job(owner=alice, kind="bundle", params=params, key="k", terms=Terms())[0]

    first = submit()
    DownloadJob.objects.update(status=Status.FAILED, finished_at=LONG_AGO)
    assert expiry.expire_jobs() == 1

    assert submit().pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_delete_different_jobs(alice: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(expiry, "JOB_BATCH", 10)
    for _ in range(40):
        over(alice, LONG_AGO)
    counts: list[int] = []
    start = threading.Barrier(4)

    def sweep() -> None:
        start.wait()
        counts.append(expiry.expire_jobs())
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [10] * 4
    assert left() == set()


def test_old_tracebacks_are_deleted_and_the_events_kept(alice: User) -> None:
    job = over(alice, NOW)
    failure = {"code": "unexpected", "detail": "Traceback (most recent call last)"}
    old, young = (JobEvent.objects.record(job, Event.FAIL, Actor.WORKER, **failure) for _ in "12")
    claim = JobEvent.objects.record(job, Event.CLAIM, Actor.WORKER, detail="worker@1")
    ago = NOW - timedelta(days=31)
    JobEvent.objects.filter(pk__in=[old.pk, claim.pk]).update(at=ago)

    assert expiry.expire_tracebacks() == 1

    kept = dict(JobEvent.objects.exclude(detail="").values_list("pk", "detail"))
    assert kept == {young.pk: failure["detail"], claim.pk: "worker@1"}
    assert JobEvent.objects.get(pk=old.pk).code == "unexpected"
    assert expiry.expire_tracebacks() == 0


def test_expired_sessions_are_deleted(db: None) -> None:
    Session.objects.create(session_key="old", expire_date=NOW - timedelta(seconds=1))
    Session.objects.create(session_key="new", expire_date=NOW + timedelta(days=1))

    assert expiry.expire_sessions() == 1

    assert Session.objects.get().session_key == "new"


@pytest.fixture
def repeat() -> Callable[[Callable[[], int]], int]:
    return lambda sweep: dispatcher._repeat(sweep, threading.Event())()


def test_a_sweep_goes_on_while_there_is_more(
    alice: User, repeat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "JOB_BATCH", 3)
    for _ in range(8):
        over(alice, LONG_AGO)

    assert repeat(expiry.expire_jobs) == 8


def test_a_long_sweep_leaves_the_rest_to_the_next_round(
    repeat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "REPEAT_SECONDS", 0)

    assert repeat(lambda: 5) == 5


def test_files_of_other_jobs_do_not_keep_a_job(alice: User) -> None:
    ArtifactFactory(owner=alice, made_by=over(alice, EARLIER))
    over(alice, LONG_AGO)

    assert expiry.expire_jobs() == 1
