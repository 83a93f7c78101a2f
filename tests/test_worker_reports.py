"""Real workers and dispatchers report themselves, also with --autoscale."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import F

from jobs.models import ServiceProcess
from tests.live import Live, on_this_database, until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database())
    yield live
    live.stop()


def reported(role: str) -> ServiceProcess:
    found: ServiceProcess = until(ServiceProcess.objects.filter(role=role).first)
    return found


def test_an_autoscaled_worker_reports_its_slots_and_what_it_may_grow_to(live: Live) -> None:
    process = live.start("worker", "--autoscale=5,2", "-Q", settings.QUEUE)

    worker = reported("worker")

    assert (worker.slots, worker.max_slots, worker.queues) == (2, 5, [settings.QUEUE])
    assert worker.name.endswith("@test")
    assert 20_000_000 < worker.memory_bytes < 1_000_000_000
    process.ask_to_stop()
    until(lambda: not ServiceProcess.objects.exists(), why=live.logs)


def test_a_killed_worker_stays_in_the_list_and_is_not_responding(live: Live) -> None:
    process = live.start("worker")
    reported("worker")

    live.kill(process)

    ServiceProcess.objects.update(seen_at=F("seen_at") - timedelta(seconds=20))
    assert ServiceProcess.objects.not_responding().count() == 1


def test_a_dispatcher_that_stops_is_not_missed(live: Live) -> None:
    process = live.start("dispatcher")
    reported("dispatcher")

    process.ask_to_stop()

    until(lambda: not ServiceProcess.objects.exists(), why=live.logs)
