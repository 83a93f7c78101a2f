"""Statistics of the queue and the workers, for operators."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, FinishedCount, JobStatistics, QueueLimit, ServiceProcess
from jobs.models.lane import make_ready
from jobs.states import Status
from tests.factories import JobFactory, staff_who_may

QUEUE, WORKERS = "/queue/stats", "/workers/stats"


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


def test_limits_and_pauses_are_listed(
    client_of_operator: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KINDS["report"], "max_running", 2)
    JobFactory(owner=alice, status=Status.PROCESSING)
    make_ready([JobFactory(owner=alice).pk])
    QueueLimit.objects.create(scope="owner", owner=alice, max_running=1, reason="A flood")
    QueueLimit.objects.create(scope="kind", name="bundle", is_paused=True)

    paused, owner, of_class = client_of_operator.get(QUEUE).json()["limits"]

    assert paused["changedAt"]
    assert owner.pop("changedAt")
    assert (paused["scope"], paused["name"], paused["paused"]) == ("kind", "bundle", True)
    assert owner == {
        "scope": "owner", "name": "", "userId": str(alice.pk), "maxRunning": 1, "running": 1,
        "waiting": 1, "paused": False, "reached": True, "reason": "A flood",
    }  # fmt: skip
    assert (of_class["name"], of_class["maxRunning"], of_class["changedAt"]) == ("report", 2, None)


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


def test_rates_count_the_last_minute_and_hour(client_of_operator: APIClient) -> None:
    now = timezone.now()
    statistics = [(1, 3, 2), (30, 5, 4), (70, 100, 100)]
    for minutes, submitted, failed in statistics:
        JobStatistics.objects.create(
            start=(now - timedelta(minutes=minutes)).replace(second=0, microsecond=0),
            kind="bundle", submitted=submitted, failed=failed,
        )  # fmt: skip

    rates = client_of_operator.get(QUEUE).json()["rates"]

    assert rates["lastMinute"] == {"submitted": 3, "completed": 0, "failed": 2, "cancelled": 0}
    assert rates["lastHour"] == {"submitted": 8, "completed": 0, "failed": 6, "cancelled": 0}


def test_finished_jobs_are_counted_by_the_dispatcher(client_of_operator: APIClient) -> None:
    JobFactory(status=Status.COMPLETED)
    FinishedCount.objects.refresh()
    JobFactory(status=Status.COMPLETED)
    JobFactory(status=Status.PROCESSING)

    body = client_of_operator.get(QUEUE).json()

    assert (body["queue_stats"]["completed"], body["queue_stats"]["processing"]) == (1, 1)


def test_a_kind_without_jobs_any_more_is_forgotten(db: None) -> None:
    JobFactory(kind="other", status=Status.FAILED)
    JobFactory(status=Status.COMPLETED)
    FinishedCount.objects.refresh()
    DownloadJob.objects.filter(kind="other").delete()

    counts = FinishedCount.objects.refresh()

    assert FinishedCount.objects.current() == counts
    assert counts["bundle", "completed"] == 1
    assert counts["bundle", "failed"] == 0
    assert {kind for kind, _ in counts} == {"bundle"}


def report(name: str, *, seconds_ago: int = 0, **values: Any) -> None:
    ServiceProcess.objects.report("worker", name, **values)
    seen_at = timezone.now() - timedelta(seconds=seconds_ago)
    ServiceProcess.objects.filter(name=name).update(seen_at=seen_at)


def test_workers_are_listed_with_their_jobs(client_of_operator: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.PROCESSING, worker="w1@host")
    JobFactory(status=Status.PROCESSING, worker="dead@host")
    report("w1@host", slots=2, max_slots=8, queues=["download-jobs"], memory_bytes=5_000_000)
    report("w2@host", slots=4, max_slots=4, seconds_ago=30)

    dead, busy, unreported = client_of_operator.get(WORKERS).json()["workers"]

    assert (dead["name"], dead["answers"], dead["processes"]) == ("dead@host", False, None)
    assert (busy["name"], busy["answers"], len(busy["jobs"])) == ("w1@host", True, 1)
    assert (busy["processes"], busy["maxProcesses"], busy["memoryBytes"]) == (2, 8, 5_000_000)
    assert (busy["queues"], busy["jobs"][0]["jobId"]) == (["download-jobs"], str(job.pk))
    assert (unreported["name"], unreported["answers"], unreported["jobs"]) == ("w2@host", False, [])


@pytest.mark.parametrize("answers", [True, False])
def test_whether_the_broker_answers(client_of_operator: APIClient, answers: bool) -> None:
    with patch("jobs.engine.health.check_dependencies", return_value={"broker": answers}):
        body = client_of_operator.get(WORKERS).json()

    assert (body["brokerAnswers"], body["workers"]) == (answers, [])
