"""`manage.py forget_user` leaves nothing of a user, and everything of the others."""

from __future__ import annotations

from io import StringIO
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.test import Client
from django_celery_results.models import TaskResult
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from jobs import storage
from jobs.engine import personal_data
from jobs.errors import StorageUnavailable
from jobs.kinds.registry import kind_folder
from jobs.models import (
    AccountNotice,
    ApiKey,
    BulkAction,
    DownloadJob,
    IncomingUpload,
    JobEvent,
    Notification,
    Preferences,
    QueueLimit,
    Schedule,
    StoredFile,
    Usage,
)
from jobs.states import ACTIVE, Actor, Event, Status
from tests.factories import (
    ArtifactFactory,
    JobFactory,
    NotificationFactory,
    UploadJobFactory,
    make_key,
)


def forget(*options: str) -> str:
    printed = StringIO()
    call_command("forget_user", *options, stdout=printed)
    return printed.getvalue()


@pytest.fixture(autouse=True)
def empty_bucket(bucket: Any) -> None:
    storage.delete_all_objects_but([], prefix="")


def objects() -> set[str]:
    return {found.key for found in storage.list_objects("")}


def give_everything_to(owner: User, bucket: Any) -> DownloadJob:
    """Give the user at least one row of each sort. Return a completed job."""
    job = JobFactory(owner=owner, status=Status.COMPLETED, artifact=None, task_id=f"of-{owner}")
    artifact = ArtifactFactory(owner=owner, made_by=job, key=f"{kind_folder(job)}1/a.zip")
    DownloadJob.objects.filter(pk=job.pk).update(artifact=artifact)
    JobEvent.objects.record(job, Event.SUBMIT, Actor.OWNER)
    later = JobFactory(owner=owner, status=Status.FAILED)
    later.after.add(job)
    upload = UploadJobFactory(owner=owner, status=Status.COMPLETED)
    StoredFile.objects.filter(pk=upload.artifact_id).update(made_by=upload)
    StoredFile.objects.filter(owner=owner, key="").update(key=f"results/{uuid4()}")
    own = ArtifactFactory(owner=owner, key=f"catalogue/{uuid4()}/own.zip")
    half = IncomingUpload.objects.create(owner=owner, name="half.bin", size_bytes=10)
    for key in [artifact.key, own.key, half.key, f"{kind_folder(job)}1/leftover"]:
        bucket.save(key, ContentFile(b"hello"))
    NotificationFactory(owner=owner, job=job)
    Preferences.objects.create(owner=owner, webhook="https://example.org/hook")
    RefreshToken.for_user(owner)
    Client().force_login(owner)
    TaskResult.objects.create(task_id=f"of-{owner}")
    schedule = Schedule.objects.create(
        owner=owner, name="Weekly", kind="report", request={}, cron="0 9 * * 1", time_zone="UTC"
    )
    schedule.record_run(schedule.created_at, job.pk)
    make_key(owner)
    logged = [(User, owner.pk), (DownloadJob, job.pk), (Schedule, schedule.pk)]
    logged.append((ApiKey, ApiKey.objects.get(owner=owner).pk))
    QueueLimit.objects.create(scope="owner", owner=owner, reason=f"A flood of {owner}")
    types = {model: ContentType.objects.get_for_model(model) for model, _ in logged}
    for of, object_id in logged:
        LogEntry.objects.create(
            user=owner, content_type=types[of], object_id=str(object_id),
            object_repr=str(owner), action_flag=CHANGE,
        )  # fmt: skip
    return job


def rows() -> dict[str, int]:
    """Return how many rows each table has."""
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def test_nothing_of_the_user_is_left(alice: User, bob: User, bucket: Any) -> None:
    give_everything_to(alice, bucket)
    before, objects_before = rows(), objects()
    give_everything_to(bob, bucket)
    bobs = User.objects.get(username="bob")

    assert forget("bob").startswith("Deleted bob: 3 jobs")

    assert rows() == before | {"auth.User": before["auth.User"] - 1}
    assert objects() == objects_before
    assert not Usage.objects.filter(pk=bobs.pk).exists()
    assert {session.get_decoded()["_auth_user_id"] for session in Session.objects.all()} == {
        str(alice.pk)
    }


def test_the_log_forgets_limits_of_the_user(alice: User, bob: User, operator: User) -> None:
    """Also of rows that are gone, while what the user did as an operator stays without the name."""
    limit = QueueLimit.objects.create(scope="kind", name="report", changed_by=bob)
    for name in ("Owner bob", "Owner bobby"):
        LogEntry.objects.create(
            user=operator, content_type=ContentType.objects.get_for_model(QueueLimit),
            object_id="0", object_repr=name, action_flag=CHANGE,
        )  # fmt: skip

    forget("bob")

    assert LogEntry.objects.get().object_repr == "Owner bobby"
    limit.refresh_from_db()
    assert limit.changed_by is None


@pytest.mark.parametrize("query", ["status=failed&owner=alice", "q=Alice&status=failed"])
def test_filters_of_bulk_actions_no_longer_name_the_user(
    alice: User, operator: User, query: str
) -> None:
    bulk = BulkAction.objects.create(action="retry", operator=operator, query=query)
    forget("alice")
    bulk.refresh_from_db()
    assert bulk.query == "status=failed"


def test_what_is_deleted_is_printed(alice: User, bucket: Any) -> None:
    give_everything_to(alice, bucket)

    printed = forget("alice")

    for part in (
        "3 jobs",
        "1 events",
        "1 unfinished uploads",
        "1 schedules",
        "1 notifications",
        "1 queue limits",
        "1 sessions",
    ):
        assert part in printed


def test_a_dry_run_changes_nothing(alice: User, bucket: Any) -> None:
    give_everything_to(alice, bucket)
    before = rows(), objects()

    assert forget("alice", "--dry-run").startswith("alice has 3 jobs")

    assert (rows(), objects()) == before
    alice.refresh_from_db()
    assert alice.is_active


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_active_jobs_are_a_reason_to_refuse(alice: User, status: Status) -> None:
    job = JobFactory(owner=alice, status=status)

    with pytest.raises(CommandError, match="1 jobs are active"):
        forget("alice")

    alice.refresh_from_db()
    assert alice.is_active
    assert DownloadJob.objects.filter(pk=job.pk, status=status).exists()


def test_active_jobs_can_be_cancelled(alice: User) -> None:
    for status in ACTIVE:
        JobFactory(owner=alice, status=status)

    forget("alice", "--cancel")

    assert not User.objects.filter(username="alice").exists()
    assert not DownloadJob.objects.exists()


def test_it_goes_on_after_the_store_was_unavailable(
    alice: User, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_everything_to(alice, bucket)
    monkeypatch.setattr(
        storage, "delete_all_objects_but", Mock(side_effect=StorageUnavailable("Refused."))
    )
    with pytest.raises(CommandError, match="run the command again"):
        forget("alice")
    assert not StoredFile.objects.filter(made_by__owner=alice).exists()
    monkeypatch.undo()

    forget("alice")

    assert objects() == set()
    assert not DownloadJob.objects.exists()


def test_objects_of_a_kind_that_is_gone_are_deleted(alice: User, bucket: Any) -> None:
    job = give_everything_to(alice, bucket)
    DownloadJob.objects.filter(pk=job.pk).update(kind="no-longer-installed")

    forget("alice")

    assert objects() == set()


def test_mails_to_operators_no_longer_name_the_users_jobs(alice: User, bob: User) -> None:
    jobs = [JobFactory(owner=owner, status=Status.FAILED) for owner in (alice, bob)]
    examples = [{"jobId": str(job.pk), "fileName": job.name} for job in jobs]
    content = {"count": 2, "examples": examples}
    mail = Notification.objects.create(pk=uuid4(), channel="operators", content=content)

    forget("alice")

    mail.refresh_from_db()
    assert mail.content == {"count": 2, "examples": examples[1:]}


def test_many_jobs_are_deleted_in_batches(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_data, "BATCH", 2)
    for _ in range(5):
        JobFactory(owner=alice, status=Status.EXPIRED)

    forget("alice")

    assert not DownloadJob.objects.exists()


def test_tokens_are_gone_even_those_that_would_lose_their_user_only(alice: User) -> None:
    RefreshToken.for_user(alice)

    forget("alice")

    assert not OutstandingToken.objects.exists()


def test_an_unknown_name_is_an_error(db: None) -> None:
    with pytest.raises(CommandError, match="no user nobody"):
        forget("nobody")


def test_mails_that_were_requested_without_signing_in_are_deleted(alice: User, bob: User) -> None:
    User.objects.filter(pk=alice.pk).update(email="alice@example.org")
    for to in ("Alice@example.org", "bob@example.org"):
        Notification.objects.record_account_notice(AccountNotice.PASSWORD_CHANGED, to=to)

    call_command("forget_user", "alice")

    assert Notification.objects.get().to == "bob@example.org"
