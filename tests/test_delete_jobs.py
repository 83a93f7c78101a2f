"""Owners delete finished jobs and files, by the API, and undo it for ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import storage
from jobs.engine import garbage
from jobs.engine.deletion_sweep import sweep_deletions
from jobs.engine.deletions import delete_jobs, undo_deletion
from jobs.engine.submission import resubmit_job
from jobs.errors import StaleJob
from jobs.models import (
    DeletedJob,
    Deletion,
    DownloadJob,
    Notification,
    Schedule,
    StoredFile,
    Usage,
)
from jobs.models.deletion import GRACE, UNDO
from jobs.states import Actor, Status
from tests.factories import (
    JobFactory,
    NotificationFactory,
    StoredFileFactory,
    UploadJobFactory,
)

URL = "/v1/deletions"

pytestmark = pytest.mark.usefixtures("broker")


def delete(client: APIClient, **body: Any) -> dict[str, Any]:
    response = client.post(URL, body)
    assert response.status_code == 200, response.json()
    found: dict[str, Any] = response.json()
    return found


def grow_old(by: timedelta = UNDO + GRACE) -> None:
    """Let the time for an undo pass."""
    Deletion.objects.update(created_at=timezone.now() - by)


def completed(owner: User, **fields: Any) -> DownloadJob:
    job: DownloadJob = JobFactory(owner=owner, status=Status.COMPLETED, **fields)
    StoredFile.objects.filter(pk=job.artifact_id).update(made_by=job)
    return job


@pytest.mark.parametrize("path", ["status/{}", "result/{}", "{}", "{}/retry", "events/{}"])
def test_a_deleted_job_is_gone_at_every_address(
    client_of_alice: APIClient, alice: User, path: str
) -> None:
    job = completed(alice)

    body = delete(client_of_alice, jobIds=[str(job.pk)])

    url = f"/v1/download/{path.format(job.pk)}"
    method = client_of_alice.post if "retry" in path else client_of_alice.get
    assert method(url).status_code == 404
    assert client_of_alice.get("/v1/download/jobs").json()["results"] == []
    assert (body["deleted"], body["skipped"]) == (1, [])
    assert body["undoUrl"] == f"/v1/deletions/{body['deletionId']}/undo"
    assert body["undoUntil"].endswith("Z")


def test_undo_brings_jobs_and_files_back(client_of_alice: APIClient, alice: User) -> None:
    jobs = [completed(alice), UploadJobFactory(owner=alice, status=Status.COMPLETED)]
    StoredFile.objects.filter(pk=jobs[1].artifact_id).update(made_by=jobs[1])
    body = delete(client_of_alice, jobIds=[str(job.pk) for job in jobs])
    number = jobs[1].artifact.file_id
    assert not StoredFile.objects.visible_to(alice.pk).filter(file_id=number).exists()

    restored = client_of_alice.post(body["undoUrl"])

    assert (restored.status_code, restored.json()) == (200, {"restored": 2})
    assert len(client_of_alice.get("/v1/download/jobs").json()["results"]) == 2
    assert StoredFile.objects.visible_to(alice.pk).filter(file_id=number).exists()
    assert client_of_alice.post(body["undoUrl"]).status_code == 404  # once
    grow_old()
    assert not sweep_deletions()
    assert DownloadJob.objects.count() == 2


def test_undo_is_over_after_ten_seconds(client_of_alice: APIClient, alice: User) -> None:
    body = delete(client_of_alice, jobIds=[str(completed(alice).pk)])
    grow_old(UNDO + GRACE - timedelta(seconds=1))
    assert not sweep_deletions()  # while a late undo may arrive
    grow_old()

    assert client_of_alice.post(body["undoUrl"]).status_code == 404
    assert sweep_deletions() == 1
    assert not DownloadJob.objects.exists()


def test_the_sweep_deletes_rows_messages_and_the_object(
    bucket: Any, client_of_alice: APIClient, alice: User
) -> None:
    job = completed(alice)
    key = f"results/{job.pk}/1/2 files.zip"
    bucket.save(key, ContentFile(b"hello"))
    StoredFile.objects.filter(pk=job.artifact_id).update(key=key)
    NotificationFactory(job=job, owner=alice)
    used = Usage.objects.get(pk=alice.pk).stored_bytes
    delete(client_of_alice, jobIds=[str(job.pk)])
    assert Usage.objects.get(pk=alice.pk).stored_bytes == used  # until it can't be undone
    grow_old()

    assert sweep_deletions() == 1

    for model in (DownloadJob, StoredFile, Notification, Deletion):
        assert not model.objects.exists(), model  # type: ignore[attr-defined]
    assert Usage.objects.get(pk=alice.pk).stored_bytes == 0
    assert DeletedJob.objects.get().pk == job.pk
    garbage.collect_deleted_jobs()
    assert not storage.object_exists(key, 5)


def test_only_finished_jobs_of_ones_own_are_deleted(
    client_of_alice: APIClient, alice: User, bob: User
) -> None:
    active = [JobFactory(owner=alice), JobFactory(owner=alice, status=Status.PROCESSING)]
    foreign, unknown = completed(bob), uuid4()
    ids = [*(job.pk for job in active), foreign.pk, unknown]

    body = delete(client_of_alice, jobIds=[*map(str, ids)])

    assert (body["deleted"], body["deletionId"], body["undoUrl"]) == (0, None, None)
    reasons = {each["id"]: each["reason"] for each in body["skipped"]}
    assert [reasons[str(each)] for each in ids] == ["active", "active", "not_found", "not_found"]
    assert not DownloadJob.objects.exclude(deletion=None).exists()


def test_what_an_active_job_needs_stays(client_of_alice: APIClient, alice: User) -> None:
    first, read, free = completed(alice), UploadJobFactory(owner=alice, status="completed"), None
    StoredFile.objects.filter(pk=read.artifact_id).update(made_by=read)
    free = completed(alice)
    dependent = JobFactory(owner=alice, params={"file_ids": [read.artifact.file_id]})
    dependent.after.add(first)

    body = delete(client_of_alice, jobIds=[str(job.pk) for job in (first, read, free)])

    assert body["deleted"] == 1
    assert {each["id"] for each in body["skipped"]} == {str(first.pk), str(read.pk)}
    assert {each["reason"] for each in body["skipped"]} == {"needed"}
    dependent.cancel(Actor.OWNER)
    assert delete(client_of_alice, jobIds=[str(first.pk), str(read.pk)])["deleted"] == 2


def test_all_expired_jobs_at_once(client_of_alice: APIClient, alice: User, bob: User) -> None:
    JobFactory.create_batch(3, owner=alice, status=Status.EXPIRED)
    kept = [completed(alice), JobFactory(owner=bob, status=Status.EXPIRED)]

    assert delete(client_of_alice, expired=True)["deleted"] == 3

    left = DownloadJob.objects.filter(deletion=None)
    assert set(left) == set(kept)
    assert delete(client_of_alice, expired=True)["deleted"] == 0


def test_a_file_goes_with_its_job(client_of_alice: APIClient, alice: User, bob: User) -> None:
    upload = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    StoredFile.objects.filter(pk=upload.artifact_id).update(made_by=upload)
    preview = upload.files.previews().first()
    own = StoredFileFactory(owner=alice)
    foreign, public = StoredFileFactory(owner=bob), StoredFileFactory()
    numbers = [each.file_id for each in (upload.artifact, own, preview, foreign, public)]

    body = delete(client_of_alice, fileIds=numbers)

    assert body["deleted"] == 2
    reasons = {each["id"]: each["reason"] for each in body["skipped"]}
    assert reasons == {
        str(preview.file_id): "preview",
        str(foreign.file_id): "not_found",
        str(public.file_id): "not_found",
    }
    visible = StoredFile.objects.visible_to(alice.pk)
    assert list(visible) == [public]
    client_of_alice.post(body["undoUrl"])
    assert visible.all().count() == 6
    delete(client_of_alice, fileIds=numbers[:2])
    grow_old()
    assert sweep_deletions() == 2
    assert set(StoredFile.objects.all()) == {foreign, public}


def test_another_user_cannot_undo(client_of_alice: APIClient, alice: User, bob: User) -> None:
    body = delete(client_of_alice, jobIds=[str(completed(alice).pk)])
    client_of_alice.force_authenticate(bob)

    assert client_of_alice.post(body["undoUrl"]).status_code == 404
    assert DownloadJob.objects.exclude(deletion=None).exists()


@pytest.mark.django_db
def test_anonymous_clients_delete_nothing() -> None:
    assert APIClient().post(URL, {"expired": True}).status_code == 401
    assert APIClient().post(f"{URL}/{uuid4()}/undo").status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"jobIds": []}, "jobIds"),
        ({"jobIds": ["x"]}, "jobIds.0"),
        ({"fileIds": ["70000"]}, "fileIds.0"),
        ({"expired": False}, "expired"),
        ({"expired": "true"}, "expired"),
        ({"expired": True, "jobIds": [str(uuid4())]}, ""),
        ({"all": True}, "all"),
    ],
)
def test_bad_requests_delete_nothing(
    client_of_alice: APIClient, alice: User, body: dict[str, Any], field: str
) -> None:
    JobFactory(owner=alice, status=Status.EXPIRED)

    response = client_of_alice.post(URL, body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field
    assert not Deletion.objects.exists()


def test_deleting_twice_is_harmless(client_of_alice: APIClient, alice: User) -> None:
    job = completed(alice)
    first = delete(client_of_alice, jobIds=[str(job.pk)] * 2)

    again = delete(client_of_alice, jobIds=[str(job.pk)])

    assert (first["deleted"], again["deleted"]) == (1, 0)
    assert again["skipped"] == [{"id": str(job.pk), "reason": "not_found"}]


def test_a_deleted_job_cannot_run_again(alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.FAILED, error_code="build_failed")
    delete_jobs(alice, [job.pk])

    with pytest.raises(StaleJob):
        resubmit_job(DownloadJob.objects.get(), Actor.OPERATOR)

    grow_old()
    assert sweep_deletions() == 1


def test_the_same_request_starts_a_new_job(
    client_of_alice: APIClient, alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    def start() -> str:
        body = {"url": "https://data.example.org/a.csv"}
        return str(client_of_alice.post("/downloads", body, headers=key).json()["jobId"])

    key = {"Idempotency-Key": "k"}
    job_id = start()
    DownloadJob.objects.get().cancel(Actor.OWNER)
    delete(client_of_alice, jobIds=[job_id])

    assert start() != job_id


def test_new_jobs_cannot_depend_on_a_deleted_one(client_of_alice: APIClient, alice: User) -> None:
    job = completed(alice)
    delete(client_of_alice, jobIds=[str(job.pk)])

    body = {"url": "https://data.example.org/a.csv", "after": [str(job.pk)]}
    assert client_of_alice.post("/downloads", body).status_code == 400


def test_the_run_of_a_schedule_says_that_its_job_was_deleted(
    client_of_alice: APIClient, alice: User
) -> None:
    job = completed(alice)
    schedule = Schedule.objects.create(
        owner=alice, name="Daily", kind="report", request={}, cron="0 8 * * *", time_zone="UTC"
    )
    schedule.record_run(timezone.now(), job.pk)
    delete(client_of_alice, jobIds=[str(job.pk)])

    (run,) = client_of_alice.get(f"/v1/schedules/{schedule.pk}").json()["runs"]

    assert (run["jobId"], run["status"], run["statusUrl"]) == (str(job.pk), None, None)


def test_a_job_that_cannot_be_deleted_stops_no_other(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = completed(alice), completed(bob)
    for job in (broken, other):
        delete_jobs(job.owner, [job.pk])
        grow_old()
    usual: Callable[[DownloadJob], None] = DownloadJob.delete_ended

    def break_one(job: DownloadJob) -> None:
        if job == broken:
            raise RuntimeError("broken")
        usual(job)

    monkeypatch.setattr(DownloadJob, "delete_ended", break_one)
    for _ in range(3):
        sweep_deletions()

    assert list(DownloadJob.objects.all()) == [broken]
    assert undo_deletion(alice, Deletion.objects.get().pk) == 0


def test_the_dispatcher_sweeps_deletions(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.engine import dispatcher

    stop, swept = Mock(), list[str]()
    stop.is_set.side_effect = [False, *[True] * 100]
    monkeypatch.setattr(dispatcher, "_try", lambda sweep: swept.append(sweep.__name__) or 0)
    monkeypatch.setattr(dispatcher.connection, "close", lambda: None)

    dispatcher._sweep_slowly(stop)

    assert "sweep_deletions" in swept
