"""Statistics of the queue and the workers, for operators."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from jobs.states import Status
from tests.factories import JobFactory, staff_who_may

QUEUE, WORKERS = "/queue/stats", "/workers/stats"
ANSWERS = {"w1@host": 2, "w2@host": 4}


@pytest.mark.parametrize("path", [QUEUE, WORKERS])
def test_statistics_are_for_staff(client_of_alice: APIClient, path: str) -> None:
    assert client_of_alice.get(path).status_code == 403
    assert APIClient().get(path).status_code == 401


@pytest.mark.parametrize(
    ("codename", "statuses"), [(None, [200, 403]), ("view_downloadjob", [200, 200])]
)
def test_names_of_files_need_the_permission_to_view_jobs(
    db: None, codename: str | None, statuses: list[int]
) -> None:
    client = APIClient()
    client.force_authenticate(staff_who_may(codename))

    assert [client.get(path).status_code for path in (QUEUE, WORKERS)] == statuses


def test_jobs_are_counted_by_status_and_kind(client_of_operator: APIClient, alice: User) -> None:
    JobFactory.create_batch(2, owner=alice)
    JobFactory(owner=alice, status=Status.FAILED)
    JobFactory(owner=alice, kind="other", status=Status.COMPLETED)

    told = client_of_operator.get(QUEUE).json()

    nothing = dict.fromkeys(Status.values, 0)
    assert told["queue_stats"] == nothing | {"queued": 2, "failed": 1, "completed": 1, "total": 4}
    assert told["kinds"] == {
        "bundle": nothing | {"queued": 2, "failed": 1},
        "other": nothing | {"completed": 1},
    }
    assert told["timestamp"]


def test_an_empty_queue_has_no_oldest(client_of_operator: APIClient) -> None:
    told = client_of_operator.get(QUEUE).json()

    assert told["queue_stats"]["total"] == 0
    assert told["oldestQueuedSeconds"] is None
    assert told["rates"]["lastHour"] == {"submitted": 0, **dict.fromkeys(ENDED, 0)}


ENDED = ("completed", "failed", "cancelled")


def test_the_oldest_is_the_one_that_is_due_longest(client_of_operator: APIClient) -> None:
    now = timezone.now()
    JobFactory(available_at=now - timedelta(seconds=90))
    JobFactory(available_at=now - timedelta(seconds=30))
    JobFactory(available_at=now + timedelta(seconds=30), error_code="unexpected")
    JobFactory(available_at=now + timedelta(seconds=30))
    JobFactory(available_at=now - timedelta(seconds=120), held=True)
    JobFactory(status=Status.PROCESSING, lease_until=now - timedelta(seconds=1))

    told = client_of_operator.get(QUEUE).json()

    assert 90 <= told["oldestQueuedSeconds"] < 100
    assert (told["waitingForRetry"], told["stalled"]) == (1, 1)
    assert (told["waitingForTheirTime"], told["waitingForOthers"]) == (1, 1)


def test_rates_count_recent_jobs(client_of_operator: APIClient) -> None:
    now = timezone.now()
    JobFactory(status=Status.COMPLETED)
    late = JobFactory(status=Status.FAILED, finished_at=now - timedelta(minutes=5))
    old = JobFactory(status=Status.CANCELLED, finished_at=now - timedelta(hours=2))
    DownloadJob.objects.filter(pk__in=[late.pk, old.pk]).update(created_at=now - timedelta(days=1))

    rates = client_of_operator.get(QUEUE).json()["rates"]

    assert rates["lastMinute"] == {"submitted": 1, "completed": 1, "failed": 0, "cancelled": 0}
    assert rates["lastHour"] == {"submitted": 1, "completed": 1, "failed": 1, "cancelled": 0}


def test_workers_are_listed_with_their_jobs(client_of_operator: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.PROCESSING, worker="w1@host")
    JobFactory(status=Status.PROCESSING, worker="dead@host")

    with patch("jobs.engine.broker.broker_workers", return_value=ANSWERS):
        told = client_of_operator.get(WORKERS).json()

    dead, busy, idle = told["workers"]
    assert told["brokerAnswers"] is True
    assert (dead["name"], dead["answers"], dead["processes"]) == ("dead@host", False, None)
    assert (busy["name"], busy["processes"], len(busy["jobs"])) == ("w1@host", 2, 1)
    assert busy["jobs"][0]["jobId"] == str(job.pk)
    assert (idle["name"], idle["answers"], idle["jobs"]) == ("w2@host", True, [])


def test_without_the_broker_the_rows_are_listed(client_of_operator: APIClient) -> None:
    JobFactory(status=Status.PROCESSING, worker="w1@host")

    with patch("jobs.engine.broker.broker_workers", side_effect=OSError):
        told = client_of_operator.get(WORKERS).json()

    assert told["brokerAnswers"] is False
    assert [worker["name"] for worker in told["workers"]] == ["w1@host"]


def test_a_broker_without_workers_has_no_replies(client_of_operator: APIClient) -> None:
    told: Any = client_of_operator.get(WORKERS).json()

    assert (told["brokerAnswers"], told["workers"]) == (True, [])
