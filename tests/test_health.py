"""/health, /health/live and /health/ready."""

from __future__ import annotations

import threading
import time
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from jobs.engine import health

pytestmark = pytest.mark.django_db(transaction=True)


def test_healthy_when_everything_responds(client: Client, bucket: Any) -> None:
    response = client.get("/health")

    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy",
        "checks": {"storage": "ok", "database": "ok", "broker": "ok"},
    }


@pytest.mark.parametrize("part", ["storage", "database", "broker"])
def test_unhealthy_names_the_failed_part(
    client: Client, bucket: Any, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def away() -> None:
        raise ConnectionError("secret address")

    monkeypatch.setitem(health.PROBES, part, health.HealthProbe(away))

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"
    assert [name for name, said in response.json()["checks"].items() if said == "error"] == [part]
    assert "secret" not in response.content.decode()


def test_a_hanging_part_is_reported_within_three_seconds(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung, release = [], threading.Event()

    def hang() -> None:
        hung.append(1)
        release.wait(60)

    for part in health.PROBES:
        monkeypatch.setitem(health.PROBES, part, health.HealthProbe(hang))
    assert health.TIMEOUT_SECONDS < 3
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.5)
    began = time.monotonic()

    first, second = client.get("/health"), client.get("/health")

    release.set()
    assert time.monotonic() - began < 20
    assert (first.status_code, second.status_code) == (503, 503)
    assert len(hung) == 3, "the second call shares the threads of the first"


def test_liveness_makes_no_queries(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = client.get("/health/live")

    assert response.json() == {"status": "healthy"}


@pytest.mark.parametrize("path", ["/health/live", "/health", "/health/ready"])
def test_a_probe_has_a_request_id(client: Client, bucket: Any, path: str) -> None:
    answer = client.get(path)

    assert str(UUID(answer["X-Request-ID"])) == answer["X-Request-ID"]
    named = client.get(path, headers={"X-Request-ID": "probe-1"})
    assert named["X-Request-ID"] == "probe-1"
    refused = client.post(path)
    assert refused.json()["requestId"] == refused["X-Request-ID"]


def test_health_is_read_only(client: Client) -> None:
    assert client.post("/health").status_code == 405
