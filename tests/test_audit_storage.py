"""`manage.py audit_storage` finds rows and objects that do not match, and repairs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from jobs import storage
from jobs.engine import garbage, quota, storage_audit
from jobs.engine.storage_audit import AuditCounts, AuditProblem, Finding
from jobs.errors import StorageUnavailable
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Event, Status
from jobs.storage import StoredObject
from tests.factories import ArtifactFactory, JobFactory, UploadJobFactory, store

SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(autouse=True)
def empty_bucket(bucket: Any) -> None:
    storage.delete_all_objects_but([], prefix="")


def audit(before: datetime = SOON, **options: Any) -> set[tuple[str, str]]:
    found = storage_audit.audit_storage(before, AuditCounts(), **options)
    return {(finding.problem, finding.key) for finding in found}


def run(*options: str) -> list[str]:
    """Return the lines that the command prints, also if it fails."""
    printed = StringIO()
    try:
        call_command("audit_storage", "--hours=-1", *options, stdout=printed)
    except CommandError as error:
        printed.write(f"{error}\n")
    return printed.getvalue().splitlines()


def completed(owner: User, bucket: Any, content: bytes | None = b"hello") -> StoredFile:
    """Return the artifact of a completed job, with its object unless the content is None."""
    job = JobFactory(owner=owner, status=Status.COMPLETED, artifact=None)
    key = f"{kind_folder(job)}1/a.zip"
    artifact: StoredFile = ArtifactFactory(owner=owner, key=key, made_by=job)
    DownloadJob.objects.filter(pk=job.pk).update(artifact=artifact)
    if content is not None:
        bucket.save(key, ContentFile(content))
    return artifact


def test_rows_and_objects_that_match_are_no_difference(alice: User, bucket: Any) -> None:
    for name in ("a b.txt", "ä.txt", "€.txt", "😀.txt", "Z.txt", "_.txt"):
        store(90_000 + ord(name[0]) % 1000, name, name.encode())
    completed(alice, bucket)

    assert run("--sums") == ["7 files and 7 objects: no difference"]


def test_a_row_without_an_object_is_missing(alice: User, bucket: Any) -> None:
    there, lost = completed(alice, bucket), completed(alice, bucket, None)

    assert audit() == {(AuditProblem.MISSING, lost.key)}
    assert bucket.exists(there.key)


def test_an_object_of_another_size_or_content_is_found(alice: User, bucket: Any) -> None:
    longer, other = completed(alice, bucket, b"hello!"), completed(alice, bucket, b"HELLO")

    assert audit() == {(AuditProblem.WRONG_SIZE, longer.key)}
    assert audit(with_sums=True) == {
        (AuditProblem.WRONG_SIZE, longer.key),
        (AuditProblem.WRONG_SUM, other.key),
    }


def test_objects_and_uploads_without_a_job_are_found(
    bucket: Any, alice: User, running_job: DownloadJob
) -> None:
    kept = completed(alice, bucket)
    gone = f"results/{uuid4()}/1/late.zip"
    for key in (f"{kind_folder(running_job)}1/now.zip", gone, "results/not-an-id"):
        bucket.save(key, ContentFile(b"x"))
    bucket.save("somebody-else/backup.tar", ContentFile(b"x"))
    upload = f"results/{uuid4()}/2/half.zip"
    for key in (upload, f"{kind_folder(running_job)}1/half.zip"):
        bucket.client.create_multipart_upload(Bucket=bucket.bucket_name, Key=key)

    assert audit() == {
        (AuditProblem.UNKNOWN, gone),
        (AuditProblem.UNKNOWN, "results/not-an-id"),
        (AuditProblem.UNFINISHED, upload),
    }
    assert audit(datetime.now(UTC) - timedelta(hours=1)) == set()
    assert bucket.exists(kept.key)


def test_an_object_of_a_job_that_succeeds_meanwhile_is_not_unknown(
    bucket: Any, alice: User, running_job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{kind_folder(running_job)}1/a.zip"
    bucket.save(key, ContentFile(b"hello"))
    is_id = storage_audit._is_id

    def succeed_between(text: str) -> bool:
        """Called before active jobs are looked up: from then on the job is finished."""
        if running_job.status == Status.PROCESSING:
            running_job.succeed(ArtifactFactory.build(key=key, owner=alice, made_by=running_job))
        return is_id(text)

    monkeypatch.setattr(storage_audit, "_is_id", succeed_between)

    assert audit() == set()


def test_a_file_that_expires_meanwhile_is_not_missing(
    alice: User, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = completed(alice, bucket, None)

    def expire(prefix: str) -> Any:
        DownloadJob.objects.update(artifact=None)
        StoredFile.objects.filter(pk=lost.pk).delete()
        return iter(())

    monkeypatch.setattr(storage, "list_objects", expire)

    assert audit() == set()


def test_many_differences_are_looked_up_in_batches(
    alice: User, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_audit, "BATCH", 2)
    missing = {(AuditProblem.MISSING, completed(alice, bucket, None).key) for _ in range(5)}
    unknown = {(AuditProblem.UNKNOWN, f"results/{uuid4()}/1/a.zip") for _ in range(5)}
    for _, key in unknown:
        bucket.save(key, ContentFile(b"x"))

    assert audit() == missing | unknown


def test_a_store_with_another_order_is_refused(
    alice: User, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [{"Contents": [{"Key": key, "Size": 1, "LastModified": SOON}]} for key in "ba"]
    paginator = type("Paginator", (), {"paginate": lambda self, **_: iter(pages)})
    monkeypatch.setattr(bucket.client, "get_paginator", lambda name: paginator())
    monkeypatch.setattr("jobs.storage.listing.bucket", lambda: bucket)

    with pytest.raises(StorageUnavailable, match="'a' is listed after 'b'"):
        list(storage.list_objects(""))


def test_json_is_one_object_a_line(alice: User, bucket: Any) -> None:
    lost = completed(alice, bucket, None)

    *findings, summary, failure = run("--json")

    assert [json.loads(line) for line in findings] == [
        {"problem": "missing", "key": lost.key, "detail": "5 bytes"}
    ]
    none = {"unknown": 0, "unfinished": 0, "wrong_size": 0, "wrong_sum": 0}
    assert json.loads(summary) == {"files": 1, "objects": 0, "missing": 1} | none
    assert failure == "1 left to repair."


@pytest.mark.parametrize("content", [None, b"hello!"])
def test_a_lost_result_expires_so_that_its_owner_can_make_it_again(
    alice: User, bucket: Any, content: bytes | None
) -> None:
    lost = completed(alice, bucket, content)
    job_id = lost.made_by_id

    assert len(run("--repair")) == 2

    job = DownloadJob.objects.get(pk=job_id)
    assert (job.status, job.artifact) == (Status.EXPIRED, None)
    assert job.events.get().event == Event.EXPIRE
    assert job.allows(Event.REQUEUE)
    garbage.collect_garbage()
    quota._audited = 0
    assert quota.audit_quotas(10) == 0
    assert run() == ["0 files and 0 objects: no difference"]


def test_a_lost_preview_is_deleted_and_its_file_kept(alice: User, bucket: Any) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    StoredFile.objects.filter(pk=job.artifact_id).update(made_by=job)
    for file in StoredFile.objects.exclude(role="thumbnail"):
        bucket.save(file.key, ContentFile(bytes(file.size_bytes)))

    run("--repair")

    job.refresh_from_db()
    assert job.status == Status.COMPLETED
    assert set(job.files.values_list("role", flat=True)) == {"artifact", "medium", "large"}


def test_a_file_of_the_catalogue_is_left_to_the_operator(db: None) -> None:
    file = ArtifactFactory(made_by=None)

    *_, line, _summary, failure = run("--repair")

    assert line.endswith("left: restore the object from a backup")
    assert failure == "1 left to repair."
    assert StoredFile.objects.filter(pk=file.pk).exists()


def test_objects_without_a_row_are_deleted(bucket: Any, transactional_db: None) -> None:
    unknown = f"results/{uuid4()}/1/late"
    wanted = store(70_000, "a.zip", b"hello")
    StoredFile.objects.filter(pk=wanted.pk).update(key=f"{unknown}.zip")
    for key in (unknown, f"{unknown}.zip"):
        bucket.save(key, ContentFile(b"hello"))
    upload = f"results/{uuid4()}/2/half.zip"
    bucket.client.create_multipart_upload(Bucket=bucket.bucket_name, Key=upload)

    dry = run("--repair", "--dry-run")
    assert sum(line.endswith("deleted") for line in dry) == 2
    assert bucket.exists(unknown)

    run("--repair")
    assert bucket.exists(f"{unknown}.zip"), "its key only begins like the other"
    assert not bucket.exists(unknown)
    assert run() == ["1 files and 2 objects: no difference"]


def test_a_dry_run_changes_nothing(alice: User, bucket: Any) -> None:
    lost = completed(alice, bucket, None)

    *_, line, _summary, failure = run("--repair", "--dry-run")

    assert line.endswith(f"job {lost.made_by_id} expired")
    assert failure == "1 left to repair."
    assert DownloadJob.objects.get(pk=lost.made_by_id).status == Status.COMPLETED


def test_a_job_that_changed_meanwhile_is_left(alice: User, bucket: Any) -> None:
    lost = completed(alice, bucket, None)
    finding = Finding(AuditProblem.MISSING, lost.key, "", lost.pk)
    DownloadJob.objects.update(expires_at="2000-01-01T00:00Z")
    DownloadJob.objects.get(pk=lost.made_by_id).expire()
    DownloadJob.objects.get(pk=lost.made_by_id).requeue(Actor.OWNER, total=None)

    from jobs.engine.storage_repair import repair

    assert repair(finding, is_dry_run=False) == "left: its row is gone"


def test_a_dry_run_without_a_repair_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="--repair"):
        call_command("audit_storage", "--dry-run")


def test_objects_are_listed_while_they_are_compared(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither rows nor objects are collected: both come as they are compared."""
    taken: list[int] = []

    def listing(prefix: str) -> Any:
        for n in range(100_000):
            taken.append(n) if n % 10_000 == 0 else None
            yield StoredObject(f"somebody-else/{n:06}", 5, SOON)

    monkeypatch.setattr(storage, "list_objects", listing)
    found = storage_audit._side_by_side(storage_audit._rows(), storage.list_objects(""))
    next(found)

    assert taken == [0]
