"""CORS: which other sites may call the API, what they may send and read."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.http import HttpResponse
from django.test import Client
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import DownloadJob
from tests.factories import JobFactory

APP = "https://app.example.com"
INITIATE = "/v1/download/initiate"
JOB = "/downloads/0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"


@pytest.fixture(autouse=True)
def app_is_allowed(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]


def preflight(path: str, origin: str = APP) -> HttpResponse:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Headers"] = "authorization,content-type,idempotency-key"
    return Client().options(path, headers=headers)


def words(response: Any, header: str) -> set[str]:
    return {word.strip().lower() for word in response[header].split(",")}


OPEN = [
    INITIATE,
    "/v1/auth/token",
    "/status/x",
    "/openapi",
    "/downloads",
    JOB,
    JOB + "/status",
    "/reports",
    "/reports/x/status",
    "/reports/x/download",
    "/queue/stats",
    "/workers/stats",
    "/health",
    "/health/live",
    "/health/ready",
    "/v1/webhook/test",
]


@pytest.mark.parametrize("path", OPEN)
def test_an_allowed_origin_may_send_what_clients_need(path: str) -> None:
    response = preflight(path)

    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == APP
    assert words(response, "Access-Control-Allow-Methods") == {
        "get", "post", "patch", "delete",
    }  # fmt: skip
    assert words(response, "Access-Control-Allow-Headers") == {
        "authorization",
        "content-range",
        "content-type",
        "idempotency-key",
        "if-none-match",
        "last-event-id",
        "prefer",
        "x-request-id",
    }
    assert response["Access-Control-Max-Age"] == "7200"
    assert "Access-Control-Allow-Credentials" not in response
    assert "origin" in words(response, "Vary")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example.com", f"{APP}.evil.example", "null"]
)
def test_other_origins_are_refused(origin: str) -> None:
    response = preflight(INITIATE, origin)

    assert "Access-Control-Allow-Origin" not in response
    assert "Access-Control-Allow-Headers" not in response


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sign-in",
        "/downloads/",
        JOB + "/state",
        JOB + "/row",
        JOB + "/cancel",
        JOB + "/retry",
        "/docs",
        "/admin/login/",
        "/admin/retry/x",
        "/x/v1/",
        "/metrics",
    ],
)
@pytest.mark.django_db
def test_pages_are_not_shared_with_other_origins(path: str) -> None:
    for response in (preflight(path), Client().get(path, headers={"Origin": APP})):
        assert "Access-Control-Allow-Origin" not in response


def test_another_site_can_poll_and_read_retry_after(alice: User) -> None:
    job = JobFactory(owner=alice)
    client = APIClient(headers={"Origin": APP})
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(alice)}")

    response = client.get(f"/v1/download/status/{job.pk}")

    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == APP
    shown = words(response, "Access-Control-Expose-Headers")
    assert {"retry-after", "etag", "x-request-id", "location", "ratelimit"} <= shown


@pytest.mark.parametrize("path", ["/health", "/health/live", "/queue/stats", "/workers/stats"])
@pytest.mark.django_db
def test_another_site_can_read_health_and_statistics(path: str, admin_client: Client) -> None:
    response = admin_client.get(path, headers={"Origin": APP})

    assert response["Access-Control-Allow-Origin"] == APP
    assert response.status_code in (200, 503)
    assert "Access-Control-Allow-Origin" not in admin_client.get(path)


@pytest.mark.django_db
def test_anybody_elses_site_cannot_read_them(client: Client) -> None:
    for path in ("/health", "/queue/stats"):
        response = client.get(path, headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in response


def test_a_session_cookie_is_ignored(alice: User) -> None:
    """Browsers hide the response, as it does not allow credentials; the cookie is ignored."""
    job = JobFactory(owner=alice)
    client = Client(enforce_csrf_checks=True, headers={"Origin": APP})
    client.force_login(alice)

    read = [client.get(path, headers={"Accept": "text/html"}) for path in ("/downloads", JOB)]
    posted = client.post("/downloads", {"url": "https://data.example/"}, "application/json")
    filled_in = client.post("/downloads", "file=70000", "application/x-www-form-urlencoded")
    cancelled = client.delete(f"/downloads/{job.pk}")

    for answer in (*read, posted, filled_in, cancelled):
        assert "Access-Control-Allow-Credentials" not in answer
    assert [answer.status_code for answer in (posted, filled_in, cancelled)] == [403, 403, 403]
    assert DownloadJob.objects.unfinished().get() == job


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"), [("/v1/nowhere", 404), ("/v1/download/jobs", 401), ("/v1/?x=%00", 400)]
)
def test_another_site_can_read_errors(path: str, status: int) -> None:
    response = Client().get(path, headers={"Origin": APP})

    assert response.status_code == status
    assert response["Access-Control-Allow-Origin"] == APP


def test_no_origin_is_allowed_by_default(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = []

    assert "Access-Control-Allow-Origin" not in preflight(INITIATE)


@pytest.mark.parametrize("wrong", ["*", "app.example.com", f"{APP}/", f"{APP}/page", ""])
def test_an_invalid_origin_stops_the_start(settings: Any, wrong: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [wrong]

    (found,) = run_checks()

    assert found.is_serious()
    assert repr(wrong) in found.msg
    assert "CORS_ALLOWED_ORIGINS" in found.msg
