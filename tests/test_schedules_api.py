"""/v1/schedules: repeat a request by a cron line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.engine.schedules import run_due_schedules
from jobs.models import DownloadJob, Schedule

URL = "/v1/schedules"
REPORT = {"period": "7d", "format": "pdf"}
BODY = {"kind": "report", "request": REPORT, "cron": "30 8 * * 1-5", "timeZone": "Europe/Berlin"}

pytestmark = pytest.mark.usefixtures("broker")


def create(client: APIClient, **members: Any) -> str:
    response = client.post(URL, BODY | members)
    assert response.status_code == 201, response.json()
    return str(response["Location"])


def test_new_schedule_says_when_it_runs(client_of_alice: APIClient, alice: User) -> None:
    response = client_of_alice.post(URL, BODY)

    body, schedule = response.json(), Schedule.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"/v1/schedules/{schedule.pk}"
    assert body["name"] == "Report"
    assert body["description"] == "At 08:30 on Monday through Friday"
    assert body["timeZone"] == "Europe/Berlin"
    assert body["request"] == REPORT
    assert body["nextRunAt"].endswith(("T06:30:00Z", "T07:30:00Z"))
    assert (body["paused"], body["runs"]) == (False, [])
    assert schedule.owner == alice


def test_run_is_in_the_list_with_its_job(client_of_alice: APIClient) -> None:
    create(client_of_alice)
    due_at = timezone.now() - timedelta(minutes=1)
    Schedule.objects.update(next_run_at=due_at)
    run_due_schedules()

    (found,) = client_of_alice.get(URL).json()["results"]

    job = DownloadJob.objects.get()
    assert "request" not in found
    (run,) = found["runs"]
    assert (run["jobId"], run["status"], run["error"]) == (str(job.pk), "queued", None)
    assert run["statusUrl"] == f"/v1/download/status/{job.pk}"
    assert run["dueAt"][:19] == f"{due_at:%Y-%m-%dT%H:%M:%S}"


def test_run_of_a_deleted_job_stays_in_the_list(client_of_alice: APIClient) -> None:
    schedule = create(client_of_alice)
    client_of_alice.post(f"{schedule}/run")
    DownloadJob.objects.get().delete()

    (run,) = client_of_alice.get(schedule).json()["runs"]

    assert (run["status"], run["statusUrl"]) == (None, None)


@pytest.mark.parametrize(
    ("members", "field", "detail"),
    [
        ({"cron": "61 * * * *"}, "cron", "minute 61 is not in 0-59."),
        ({"cron": "* * * * *"}, "cron", "Leave at least 5 minutes between two runs."),
        ({"cron": 5}, "cron", "Not a valid string."),
        ({"timeZone": "Berlin"}, "timeZone", "Use a name such as Europe/Berlin."),
        ({"kind": "upload"}, "kind", "Use one of: bundle, remote, register, report."),
        ({"request": []}, "request", None),
        ({"request": {"period": "week"}}, "request.period", None),
        ({"request": REPORT | {"year": 2025}}, "request.year", "Unknown field."),
        (
            {"request": REPORT | {"runAt": "2026-12-24T08:00:00Z"}},
            "request.runAt",
            "The schedule says when it runs.",
        ),
        ({"request": REPORT | {"priority": 10}}, "request.priority", None),
        ({"name": ""}, "name", None),
        ({"every": "day"}, "every", "Unknown field."),
    ],
)
def test_invalid_schedule_is_refused(
    client_of_alice: APIClient, members: dict[str, Any], field: str, detail: str | None
) -> None:
    response = client_of_alice.post(URL, BODY | members)

    errors = response.json()["errors"]
    assert response.status_code == 400
    assert field in [error["field"] for error in errors]
    assert detail is None or detail in [error["detail"] for error in errors]
    assert not Schedule.objects.exists()


def test_link_to_a_private_network_is_refused(client_of_alice: APIClient) -> None:
    body = BODY | {"kind": "remote", "request": {"url": "http://10.0.0.1/file"}}

    response = client_of_alice.post(URL, body)

    assert (response.status_code, response.json()["code"]) == (422, "blocked_address")


def test_kind_that_the_owner_may_not_request_is_refused(
    client_of_alice: APIClient, add_kinds: Callable[..., None]
) -> None:
    add_kinds("tests.shop.PrivateExport")

    response = client_of_alice.post(URL, BODY | {"kind": "private-export", "request": {}})

    assert response.status_code == 403
    assert not Schedule.objects.exists()


def test_kind_of_a_team_can_be_scheduled(
    client_of_alice: APIClient, add_kinds: Callable[..., None]
) -> None:
    add_kinds("tests.shop.OrderExport")
    schedule = create(client_of_alice, kind="order-export", request={"year": 2025, "name": "May"})

    response = client_of_alice.post(f"{schedule}/run")

    assert response.status_code == 202
    assert response.json()["fileName"] == "May.csv"


def test_same_key_is_one_schedule(client_of_alice: APIClient) -> None:
    responses = [
        client_of_alice.post(URL, BODY | members, headers={"Idempotency-Key": "weekly"})
        for members in ({}, {}, {"cron": "0 9 * * *"})
    ]

    assert [response.status_code for response in responses] == [201, 201, 422]
    assert responses[1]["Idempotency-Replayed"] == "true"
    assert Schedule.objects.count() == 1


def test_keys_of_two_owners_do_not_meet(client_of_alice: APIClient, bob: User) -> None:
    client_of_alice.post(URL, BODY, headers={"Idempotency-Key": "weekly"})
    client_of_alice.force_authenticate(bob)

    client_of_alice.post(URL, BODY, headers={"Idempotency-Key": "weekly"})

    assert Schedule.objects.count() == 2


def test_paused_schedule_has_no_next_run_until_it_is_resumed(client_of_alice: APIClient) -> None:
    schedule = create(client_of_alice)

    paused = client_of_alice.patch(schedule, {"paused": True}).json()
    resumed = client_of_alice.patch(schedule, {"paused": False}).json()

    assert (paused["paused"], paused["nextRunAt"]) == (True, None)
    assert resumed["nextRunAt"] > timezone.now().isoformat()


def test_change_of_the_line_plans_the_next_run(client_of_alice: APIClient) -> None:
    schedule = create(client_of_alice)

    body = client_of_alice.patch(schedule, {"cron": "@yearly", "timeZone": "UTC"}).json()

    assert body["nextRunAt"] == f"{timezone.now().year + 1}-01-01T00:00:00Z"


def test_change_of_the_name_leaves_the_next_run(client_of_alice: APIClient) -> None:
    schedule = create(client_of_alice)
    Schedule.objects.update(next_run_at="2026-11-01T09:00:00Z")  # due

    body = client_of_alice.patch(schedule, {"name": "Mondays"}).json()

    assert (body["name"], body["nextRunAt"]) == ("Mondays", "2026-11-01T09:00:00Z")


@pytest.mark.parametrize(
    "members", [{"cron": "1"}, {"kind": "remote"}, {"request": {"period": "week"}}, {"paused": 1}]
)
def test_invalid_change_changes_nothing(
    client_of_alice: APIClient, members: dict[str, Any]
) -> None:
    schedule = create(client_of_alice)
    before = client_of_alice.get(schedule).json()

    response = client_of_alice.patch(schedule, members)

    assert response.status_code == 400
    assert client_of_alice.get(schedule).json() == before


def test_deleted_schedule_leaves_its_jobs(client_of_alice: APIClient) -> None:
    schedule = create(client_of_alice)
    client_of_alice.post(f"{schedule}/run")

    assert client_of_alice.delete(schedule).status_code == 204

    assert client_of_alice.get(schedule).status_code == 404
    assert DownloadJob.objects.count() == 1


def test_run_beyond_a_limit_is_refused(client_of_alice: APIClient, settings: Any) -> None:
    schedule = create(client_of_alice)
    settings.MAX_ACTIVE_JOBS = 0

    response = client_of_alice.post(f"{schedule}/run")

    assert (response.status_code, response.json()["code"]) == (429, "too_many_active")


@pytest.mark.parametrize(("is_hidden", "status"), [(False, 403), (True, 404)])
def test_schedule_of_somebody_else_is_refused(
    client_of_alice: APIClient, bob: User, settings: Any, is_hidden: bool, status: int
) -> None:
    settings.HIDE_FOREIGN_JOBS = is_hidden
    schedule = create(client_of_alice)
    client_of_alice.force_authenticate(bob)

    statuses = {
        client_of_alice.get(schedule).status_code,
        client_of_alice.patch(schedule, {"paused": True}).status_code,
        client_of_alice.delete(schedule).status_code,
        client_of_alice.post(f"{schedule}/run").status_code,
    }

    assert statuses == {status}
    assert client_of_alice.get(URL).json() == {"results": []}
    assert not Schedule.objects.get().is_paused


def test_unknown_schedule_is_not_found(client_of_alice: APIClient) -> None:
    assert client_of_alice.get(f"{URL}/{uuid4()}").status_code == 404


def test_list_takes_the_same_queries_for_many(
    client_of_alice: APIClient, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        create(client_of_alice)

    with django_assert_num_queries(2):
        client_of_alice.get(URL)


def test_browsable_page_shows_the_schedule(client_of_alice: APIClient) -> None:
    schedule = create(client_of_alice)

    page = client_of_alice.get(schedule, headers={"Accept": "text/html"})

    assert "At 08:30 on Monday through Friday" in page.content.decode()
