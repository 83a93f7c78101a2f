"""Metrics of real processes: several of the web, a worker, a dispatcher."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import User
from prometheus_client.parser import text_string_to_metric_families as parse

from downloads_project.local.ports import free_ports
from tests.live import Live, children, on_this_database, until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
TOKEN = "token-of-the-scraper"
POLLS = 30


@pytest.fixture
def live(tmp_path: Path, bucket: object) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database() | {"METRICS_TOKEN": TOKEN, "WEB_PROCESSES": "2"})
    yield live
    live.stop()


def scrape(url: str) -> dict[tuple[str, ...], float]:
    response = requests.get(
        f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
    )
    assert response.status_code == 200, response.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parse(response.text)
        for sample in family.samples
    }


def test_requests_of_all_processes_are_counted_also_of_those_that_died(
    live: Live, alice: User
) -> None:
    web = live.start("web")
    live.sign_in(alice)
    route = "GET", "/v1/download/jobs", "200"

    def poll() -> None:
        for _ in range(POLLS):
            headers = {"Connection": "close"}  # so that any process may answer
            live.session.get(f"{live.url}/v1/download/jobs", headers=headers, timeout=10)

    def is_back() -> bool:
        try:
            return requests.get(f"{live.url}/health/live", timeout=5).ok
        except requests.RequestException:  # accepted by a process that is gone
            return False

    def is_counted(times: int) -> bool:
        return scrape(live.url)["downloads_http_requests_total", *route] == times

    poll()
    until(lambda: is_counted(POLLS))
    for pid in children(web.popen.pid):
        os.kill(pid, signal.SIGKILL)
    until(is_back, 60)
    poll()

    until(lambda: is_counted(2 * POLLS))
    found = scrape(live.url)
    assert found["downloads_http_request_seconds_count", "/v1/download/jobs"] == 2 * POLLS
    assert found["downloads_http_requests_total", "GET", "/metrics", "200"] >= 1


def test_a_worker_and_a_dispatcher_serve_their_own(live: Live, tmp_path: Path) -> None:
    ports = free_ports(str(tmp_path / "metrics"))
    for role, has in (("worker", "downloads_process_slots"), ("dispatcher", "downloads_swept")):
        port = next(ports)
        live.start(role, METRICS_PORT=str(port))

        def is_served(port: int = port, has: str = has) -> bool:
            try:
                text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
            except requests.ConnectionError:
                return False
            return has in text and "process_resident_memory_bytes" in text

        until(is_served, 60, live.logs)


def test_a_port_that_is_taken_stops_no_worker(live: Live, tmp_path: Path) -> None:
    port = str(next(free_ports(str(tmp_path / "metrics"))))
    for _ in range(2):
        live.start("worker", METRICS_PORT=port)

    until(lambda: "no metrics" in live.logs(), 60)
    assert all(process.is_alive for process in live.processes)
