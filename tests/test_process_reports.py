"""Workers and dispatchers report every few seconds that they are running."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from django.db import connection

from jobs.engine import dispatcher, process_reports
from jobs.engine.process_reports import DispatcherTicks, ProcessReports, memory_bytes
from jobs.models import ServiceProcess
from tests.live import until

pytestmark = pytest.mark.django_db(transaction=True)
WORKER = ServiceProcess.Role.WORKER


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_reports, "REPORT_SECONDS", 0.05)


def test_a_process_reports_until_it_stops() -> None:
    slots = iter(range(1, 1000))
    reports = ProcessReports(WORKER, "w1@host", lambda: {"slots": next(slots)})
    reports.start()
    first = until(ServiceProcess.objects.first)

    later = until(lambda: ServiceProcess.objects.filter(slots__gt=first.slots).first())

    assert later.started_at == first.started_at
    assert later.seen_at > first.seen_at
    assert [each.name for each in ServiceProcess.objects.responding()] == ["w1@host"]
    reports.stop()
    assert not ServiceProcess.objects.exists()


def test_a_report_that_fails_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def facts() -> dict[str, Any]:
        calls.append(1)
        return {"slots": 2} if len(calls) > 1 else {"slots": 1 / 0}

    reports = ProcessReports(WORKER, "w1@host", facts)
    reports.start()

    assert until(ServiceProcess.objects.first).slots == 2
    assert "could not be reported" in caplog.text
    reports.stop()


def test_memory_counts_children_without_what_they_share() -> None:
    alone = memory_bytes()
    child = subprocess.Popen(
        [sys.executable, "-c", "a = bytearray(50_000_000); print(1); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout
    child.stdout.readline()

    both = memory_bytes([child.pid])

    child.communicate(b"\n")
    assert 45_000_000 < both - alone < 80_000_000
    assert abs(memory_bytes([child.pid, os.getpid() + 4_000_000]) - alone) < 5_000_000


def test_a_tick_that_hangs_is_reported_while_it_does() -> None:
    ticks = DispatcherTicks()
    with ticks.measured():
        time.sleep(0.05)
        assert ticks.facts()["tick_seconds"] >= 0.05
    with ticks.measured():
        pass
    assert ticks.facts()["tick_seconds"] >= 0.05  # its whole length
    assert ticks.facts()["tick_seconds"] == 0


def test_the_dispatcher_reports_itself(broker: Any) -> None:
    stop = threading.Event()

    def run() -> None:
        dispatcher.run_dispatcher(stop)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()

    process = until(ServiceProcess.objects.first)

    assert (process.role, process.name.split("-")[0]) == ("dispatcher", "dispatcher")
    assert process.memory_bytes > 10_000_000
    stop.set()
    thread.join()
    assert not ServiceProcess.objects.exists()
