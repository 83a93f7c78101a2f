"""GET /metrics: the requests of this web server, and the figures of the whole service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse
from rest_framework.test import APIClient

from downloads_project.web_server.request_metrics import observe_request, routes
from jobs.errors import ScannerUnavailable
from jobs.models import JobStatistics, Notification, QueueLimit, ServiceProcess
from jobs.models.job_statistics import BUCKETS
from jobs.models.lane import make_ready
from jobs.operations.metrics.service import ServiceCollector
from jobs.states import Status
from jobs.web.openapi.examples import JOB_ID
from tests.factories import JobFactory, StoredFileFactory, staff_who_may

TOKEN = "a token of the scraper"
Samples = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr("jobs.operations.metrics.view._service", ServiceCollector())
    settings.METRICS_TOKEN = TOKEN
    settings.CLAMD = "off"


def scrape(**headers: str) -> Any:
    return APIClient().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"} | headers)


def samples() -> Samples:
    """Return the values by name and labels."""
    response = scrape()
    assert response.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parse(response.content.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer ", 401),
        ("", 401),
    ],
)
def test_a_scraper_needs_the_token(db: None, header: str, status: int) -> None:
    response = APIClient().get("/metrics", headers={"Authorization": header} if header else {})

    assert response.status_code == status
    if status == 401:
        assert response.json()["code"] in (
            "not_authenticated",
            "token_not_valid",
            "bad_authorization_header",
        )
        assert response["WWW-Authenticate"].startswith("Bearer")


def test_without_a_token_in_the_settings_none_is_right(db: None, settings: Any) -> None:
    settings.METRICS_TOKEN = ""

    assert APIClient().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_staff_may_read_them_and_others_may_not(client_of_alice: APIClient) -> None:
    client = APIClient()
    client.force_authenticate(staff_who_may(None))

    assert client.get("/metrics").status_code == 200
    assert client_of_alice.get("/metrics").status_code == 403


def test_the_format_is_what_the_scraper_accepts(db: None) -> None:
    plain = scrape(Accept="text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
    open_metrics = scrape(Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.3")

    assert plain["Content-Type"].startswith("text/plain; version=0.0.4")
    assert list(parse(plain.content.decode()))
    assert open_metrics["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert list(parse_open(open_metrics.content.decode()))


def test_counters_and_histograms_sum_up_all_minutes(db: None) -> None:
    for minutes in (1, 5000):
        JobStatistics.objects.create(
            start=timezone.now() - timedelta(minutes=minutes), kind="bundle",
            submitted=7, completed=4, failed=2, retried=3, rescued=1,
            waits=[5, 1, *[0] * (BUCKETS - 3), 2], waits_seconds=100.5,
            pickups=[0] * BUCKETS, runs=[0] * BUCKETS,
        )  # fmt: skip

    found = samples()

    assert found["downloads_jobs_submitted_total", "bundle"] == 14
    assert found["downloads_jobs_finished_total", "bundle", "completed"] == 8
    assert found["downloads_jobs_finished_total", "bundle", "failed"] == 4
    assert found["downloads_jobs_retried_total", "bundle"] == 6
    assert found["downloads_jobs_rescued_total", "bundle"] == 2
    buckets = [
        found["downloads_job_wait_seconds_bucket", "bundle", le]
        for le in ("0.1", "0.25", "3600.0", "+Inf")
    ]
    assert buckets == [10, 12, 12, 16]
    assert found["downloads_job_wait_seconds_count", "bundle"] == 16
    assert found["downloads_job_wait_seconds_sum", "bundle"] == 201


def test_active_jobs_by_kind_and_state(alice: User) -> None:
    now = timezone.now()
    JobFactory(available_at=now - timedelta(seconds=90))
    JobFactory(available_at=now + timedelta(seconds=90), error_code="unexpected")
    JobFactory(available_at=now + timedelta(seconds=90))
    JobFactory(held=True)
    JobFactory(kind="remote", status=Status.PROCESSING)
    JobFactory(kind="remote", status=Status.PROCESSING, lease_until=now - timedelta(seconds=1))

    found = samples()

    active = {
        (kind, state): found["downloads_jobs_active", kind, state]
        for kind in ("bundle", "remote", "report")
        for state in ("due", "waiting_for_retry", "scheduled", "blocked", "processing", "stalled")
        if found["downloads_jobs_active", kind, state]
    }
    assert active == {
        ("bundle", "due"): 1, ("bundle", "waiting_for_retry"): 1, ("bundle", "scheduled"): 1,
        ("bundle", "blocked"): 1, ("remote", "processing"): 2, ("remote", "stalled"): 1,
    }  # fmt: skip
    assert 90 <= found["downloads_job_oldest_due_seconds", "bundle"] < 100
    assert found["downloads_job_oldest_due_seconds", "report"] == 0


def test_processes_by_role(db: None) -> None:
    assert samples()["downloads_processes", "worker", "responding"] == 0
    ServiceProcess.objects.report("worker", "w1", slots=3)
    ServiceProcess.objects.report("worker", "w2", slots=4)
    ServiceProcess.objects.report("dispatcher", "d1", tick_seconds=1.5)
    ServiceProcess.objects.filter(name="w2").update(seen_at=timezone.now() - timedelta(minutes=1))

    with (
        patch("jobs.operations.metrics.service.KEPT_SECONDS", 0),
        patch("jobs.operations.metrics.view._service", ServiceCollector()),
    ):
        found = samples()

    assert found["downloads_processes", "worker", "responding"] == 1
    assert found["downloads_processes", "worker", "not_responding"] == 1
    assert found["downloads_processes", "dispatcher", "responding"] == 1
    assert found["downloads_worker_slots",] == 3
    assert found["downloads_dispatcher_tick_seconds",] == 1.5
    assert 0 <= found["downloads_process_seen_seconds", "worker"] < 10


def test_storage_by_class_of_owner(alice: User, operator: User, settings: Any) -> None:
    settings.OWNER_STORAGE_BYTES = 1000
    StoredFileFactory(owner=alice, size_bytes=950)
    StoredFileFactory(owner=operator, size_bytes=100)

    found = samples()

    assert found["downloads_stored_bytes", "user"] == 950
    assert found["downloads_stored_bytes", "staff"] == 100
    assert found["downloads_owners_near_quota",] == 1


def test_the_outbox(alice: User) -> None:
    for seconds, state in ((50, "waiting"), (20, "waiting"), (500, "failed")):
        Notification.objects.create(
            pk=f"{JOB_ID[:-3]}{seconds:03}", channel="webhook", content={}, state=state,
            due_at=timezone.now() - timedelta(seconds=seconds),
        )  # fmt: skip

    found = samples()

    assert found["downloads_outbox_waiting", "webhook"] == 2
    assert found["downloads_outbox_waiting", "email"] == 0
    assert 50 <= found["downloads_outbox_overdue_seconds", "webhook"] < 60
    assert found["downloads_outbox_failing", "webhook"] == 0


def test_mails_that_fail(alice: User) -> None:
    Notification.objects.create(
        pk=JOB_ID, channel="email", owner=alice, content={}, tries=2, error="It returned 451.",
        due_at=timezone.now() + timedelta(minutes=5),
    )  # fmt: skip

    assert samples()["downloads_outbox_failing", "email"] == 1


def test_dependencies(db: None, settings: Any) -> None:
    settings.CLAMD = "tcp://127.0.0.1:1"
    checks = {"storage": True, "database": True, "broker": False}
    with (
        patch("jobs.engine.health.check_dependencies", return_value=checks),
        patch(
            "jobs.lib.scanner.scanner_signatures_date",
            side_effect=ScannerUnavailable("Down."),
        ),
    ):
        found = samples()

    up = {name: found["downloads_dependency_up", name] for name in (*checks, "scanner")}
    assert up == {"storage": 1, "database": 1, "broker": 0, "scanner": 0}


def test_the_age_of_the_signatures(db: None, settings: Any) -> None:
    settings.CLAMD = "tcp://127.0.0.1:1"
    date = timezone.now() - timedelta(days=2)
    with patch("jobs.lib.scanner.scanner_signatures_date", return_value=date):
        found = samples()

    assert found["downloads_scanner_signatures_timestamp_seconds",] == date.timestamp()


def test_a_second_scrape_soon_after_reads_nothing_again(
    db: None, django_assert_num_queries: Any
) -> None:
    scrape()
    with django_assert_num_queries(0):
        scrape()


def test_refusals_are_counted_by_code(client_of_alice: APIClient) -> None:
    before = samples().get(("downloads_problems_total", "invalid"), 0)

    client_of_alice.post("/v1/download/initiate", {"file_ids": []}, format="json")

    assert samples()["downloads_problems_total", "invalid"] == before + 1


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/download/initiate", "/v1/download/initiate"),
        (f"/v1/download/{JOB_ID}", "/v1/download/{id}"),
        (f"/v1/download/status/{JOB_ID.upper()}", "/v1/download/status/{id}"),
        (f"/downloads/{JOB_ID}/files/preview", "/downloads/"),
        ("/health/live", "/health/live"),
        ("/admin/jobs/downloadjob/", "/admin/"),
        (f"/admin/retry/{JOB_ID}", "/admin/retry/{id}"),
        ("/v1/files/1000042", "/v1/files/{id}"),
        ("/v1/files/10000421234", "other"),
        ("/wp-login.php", "other"),
        ("/v1/" + "x" * 8000, "other"),
        ("", "other"),
        ("*", "other"),
    ],
)
def test_the_route_of_a_path(path: str, route: str) -> None:
    assert routes.route_of(path) == route


def test_series_are_bounded_whatever_clients_send(db: None) -> None:
    before = len(samples())
    for number in range(200):
        observe_request(f"GET /{number} HTTP/1.1", 404, 0.01)
        observe_request(f"BREW{number} /v1/{number} HTTP/1.1", 405, 0.01)

    assert len(samples()) < before + 40


def test_pauses_and_reached_limits_by_scope(alice: User, bob: User) -> None:
    for owner in (alice, bob):
        JobFactory(owner=owner, status=Status.PROCESSING)
        make_ready([JobFactory(owner=owner).pk])
    QueueLimit.objects.create(scope="owner", max_running=1)
    for name in ("bundle", "report"):
        QueueLimit.objects.create(scope="kind", name=name, is_paused=True)

    found = samples()

    scopes = QueueLimit.Scope.values
    assert [found["downloads_paused", scope] for scope in scopes] == [0, 2, 0, 0]
    assert [found["downloads_limits_reached", scope] for scope in scopes] == [0, 0, 2, 0]
