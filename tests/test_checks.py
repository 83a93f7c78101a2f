"""Settings that contradict each other are told of, and how to mend them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks

from tests.live import CLOCKS


def ids(found: list[CheckMessage]) -> list[str]:
    return sorted(str(each.id) for each in found)


def test_the_defaults_and_the_short_clocks_of_tests_are_fine(settings: Any) -> None:
    assert run_checks() == []
    for name, value in CLOCKS.items():
        setattr(settings, name, float(value))

    assert run_checks() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"FENCE_SECONDS": 60}, "jobs.E001"),
        ({"RENEW_SECONDS": 45}, "jobs.E001"),
        ({"LEASE_SECONDS": 45}, "jobs.E001"),
        ({"SIMULATED_DELAY_SECONDS": [20.0, 10.0]}, "jobs.E002"),
        ({"SIMULATED_DELAY_SECONDS": [10.0]}, "jobs.E002"),
        ({"SIMULATED_DELAY_SECONDS": [-1.0, 10.0]}, "jobs.E002"),
        ({"KILL_AFTER_SECONDS": 0}, "jobs.E003"),
        ({"BEAT_SECONDS": 0.0}, "jobs.E003"),
        ({"WORKER_STOPS_SECONDS": -1}, "jobs.E003"),
        ({"BEAT_SECONDS": 45.0}, "jobs.E004"),
        ({"BEAT_SECONDS": 20.0, "RENEW_SECONDS": 40}, "jobs.E004"),
        ({"COLLECT_AGAIN_SECONDS": 329}, "jobs.E005"),
        (
            {"PRODUCTION": True, "DEBUG": True, "S3_PUBLIC_ENDPOINT_URL": "https://s3.io"},
            "jobs.E006",
        ),
        ({"S3_ENDPOINT_URL": "minio:9000"}, "jobs.E007"),
        ({"S3_PUBLIC_ENDPOINT_URL": "https://[::1"}, "jobs.E007"),
        ({"SIMULATED_DELAY_SECONDS": [10.0, 300.0]}, "jobs.W001"),
        ({"DISPATCH_EVERY_SECONDS": 6.0}, "jobs.W003"),
        ({"DOWNLOAD_URL_SECONDS": 601}, "jobs.W004"),
        ({"RESULT_KEPT_SECONDS": 599}, "jobs.W005"),
        ({"MAX_FILES_PER_BUNDLE": 125_001}, "jobs.W006"),
    ],
)
def test_each_contradiction_is_told_of_once_and_with_a_way_out(
    settings: Any, changes: dict[str, Any], expected: str
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    found = run_checks()

    assert ids(found) == [expected]
    assert found[0].hint


@pytest.mark.parametrize(
    "changes",
    [
        {"WORKER_STOPS_SECONDS": 0, "START_WAITS_SECONDS": 0, "RENEW_SECONDS": 0},
        {"BEAT_SECONDS": 44.0},
        {"COLLECT_AGAIN_SECONDS": 330},
        {"DEBUG": True},
        {"SIMULATED_DELAY_SECONDS": [10.0, 299.0]},
        {"DISPATCH_EVERY_SECONDS": 5.0},
        {"RESULT_KEPT_SECONDS": 60, "DOWNLOAD_URL_SECONDS": 60},
        {"MAX_FILES_PER_BUNDLE": 125_000},
    ],
)
def test_what_is_merely_unusual_is_not_told_of(settings: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    assert run_checks() == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:9000", ["jobs.E008"]),
        ("http://s3.localhost", ["jobs.E008"]),
        ("http://127.0.0.2:9000", ["jobs.E008"]),
        ("http://[::1]:9000", ["jobs.E008"]),
        ("http://0.0.0.0:9000", ["jobs.E008"]),
        ("http://minio:9000", ["jobs.W007"]),
        ("http://store.svc.cluster.local", ["jobs.W007"]),
        ("http://10.1.2.3", ["jobs.W007"]),
        ("http://169.254.1.1", ["jobs.W007"]),
        ("http://[fd00::1]:9000", ["jobs.W007"]),
        ("https://files.example.com", []),
        ("https://8.8.8.8", []),
    ],
)
def test_in_production_downloads_lead_where_clients_can_go(
    settings: Any, url: str, expected: list[str]
) -> None:
    settings.S3_PUBLIC_ENDPOINT_URL = url

    in_development = run_checks()
    settings.PRODUCTION = True

    assert in_development == []
    assert ids(run_checks()) == expected
