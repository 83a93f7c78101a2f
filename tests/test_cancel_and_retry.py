"""DELETE /v1/download/{id}, POST …/retry and POST /admin/retry/{id}."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory, staff_who_may


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PROCESSING])
def test_cancel_of_an_active_job_is_200(
    client_of_alice: APIClient, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = client_of_alice.delete(f"/v1/download/{job.pk}")

    assert response.status_code == 200
    assert response.json()["status"] == "cancelled"
    assert job.events.get().by == Actor.OWNER


def test_cancelling_twice_is_200_and_happens_once(
    client_of_alice: APIClient, queued_job: DownloadJob
) -> None:
    client_of_alice.delete(f"/v1/download/{queued_job.pk}")

    response = client_of_alice.delete(f"/v1/download/{queued_job.pk}")

    assert response.status_code == 200
    assert queued_job.events.count() == 1


def test_two_cancels_at_once_are_both_200(
    client_of_alice: APIClient, queued_job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel = DownloadJob.cancel

    def lose_the_race(self: DownloadJob, by: Actor) -> None:
        cancel(DownloadJob.objects.get(pk=self.pk), by)
        cancel(self, by)

    monkeypatch.setattr(DownloadJob, "cancel", lose_the_race)

    response = client_of_alice.delete(f"/v1/download/{queued_job.pk}")

    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert queued_job.events.count() == 1


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.EXPIRED])
def test_cancel_of_a_finished_job_is_409(
    client_of_alice: APIClient, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = client_of_alice.delete(f"/v1/download/{job.pk}")

    assert response.status_code == 409
    assert response.json()["code"] == "conflict"
    job.refresh_from_db()
    assert job.status == status


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.EXPIRED])
@pytest.mark.django_db(transaction=True)
def test_retry_queues_the_same_job_again(
    client_of_alice: APIClient, alice: User, broker: Mock, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = client_of_alice.post(f"/v1/download/{job.pk}/retry")

    assert response.status_code == 202
    assert response.json()["jobId"] == str(job.pk)
    assert response["Location"] == f"/v1/download/status/{job.pk}"
    job.refresh_from_db()
    assert job.status == Status.QUEUED


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PROCESSING, Status.COMPLETED])
def test_retry_of_an_unfinished_job_is_409(
    client_of_alice: APIClient, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = client_of_alice.post(f"/v1/download/{job.pk}/retry")

    assert response.status_code == 409
    assert not job.events.exists()


@pytest.mark.parametrize(("method", "suffix"), [("delete", ""), ("post", "/retry"), ("get", "")])
def test_a_foreign_job_is_403_and_unchanged(
    client_of_alice: APIClient, bob: User, method: str, suffix: str
) -> None:
    job = JobFactory(owner=bob)

    response = getattr(client_of_alice, method)(f"/v1/download/{job.pk}{suffix}")

    assert response.status_code == 403
    assert not job.events.exists()


def test_operators_can_retry_any_job(operator: User, bob: User, broker: Mock) -> None:
    job = JobFactory(owner=bob, status=Status.FAILED)
    client = APIClient()
    client.force_authenticate(operator)

    response = client.post(f"/admin/retry/{job.pk}")

    assert response.status_code == 202
    line = job.events.get(event=Event.REQUEUE)
    assert (line.by, line.detail) == (Actor.OPERATOR, operator.username)
    assert LogEntry.objects.get(user=operator).object_id == str(job.pk)


def test_the_operators_retry_needs_staff_status(client_of_alice: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.FAILED)

    response = client_of_alice.post(f"/admin/retry/{job.pk}")

    assert response.status_code == 403
    job.refresh_from_db()
    assert job.status == Status.FAILED


@pytest.mark.parametrize(
    ("codename", "status"),
    [
        (None, 403),
        ("view_downloadjob", 403),
        ("cancel_downloadjob", 403),
        ("retry_downloadjob", 202),
        ("change_downloadjob", 202),
    ],
)
def test_the_operators_retry_needs_the_admins_permission(
    bob: User, broker: Mock, codename: str | None, status: int
) -> None:
    job = JobFactory(owner=bob, status=Status.FAILED)
    client = APIClient()
    client.force_authenticate(staff_who_may(codename))

    response = client.post(f"/admin/retry/{job.pk}")

    assert response.status_code == status
    assert job.events.filter(event=Event.REQUEUE).exists() == (status == 202)


@pytest.mark.parametrize("job_id", ["not-a-uuid", "0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55/", "%F3"])
def test_the_operators_retry_of_an_invalid_id_is_404(operator: User, job_id: str) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_authenticate(operator)

    response = client.post(f"/admin/retry/{job_id}")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
