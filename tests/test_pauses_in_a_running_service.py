"""Pauses and limits in real processes count within a second, and no slot is idle meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from jobs.engine.broker import ping_broker
from jobs.lib.database import database_time
from jobs.models import DownloadJob, JobEvent, QueueLimit, StoredFile
from jobs.states import Event, Status
from tests.live import Live, on_this_database, until

pytestmark = pytest.mark.django_db(transaction=True)

SLOTS = 3
WITHIN_SECONDS = 1.0
JOB_SECONDS = 0.7


@pytest.fixture
def live(tmp_path: Path, alice: User, stored_files: list[StoredFile]) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database() | {"DISPATCH_EVERY_SECONDS": "1"})
    try:
        live.start("web")
        live.sign_in(alice)
        delay = f"{JOB_SECONDS},{JOB_SECONDS}"
        live.start("worker", f"--concurrency={SLOTS}", SIMULATED_DELAY_SECONDS=delay)
        live.start("dispatcher")
        yield live
    finally:
        live.stop()


def claimed_at(**of: Any) -> list[datetime]:
    claims = JobEvent.objects.filter(event=Event.CLAIM, **of).order_by("at")
    return list(claims.values_list("at", flat=True))


def running(**of: Any) -> int:
    return DownloadJob.objects.filter(status=Status.PROCESSING, **of).count()


def seconds_until(at: datetime, since: datetime) -> float:
    return (at - since).total_seconds()


def test_a_pause_counts_within_a_second_and_so_does_its_end(live: Live) -> None:
    for _ in range(30):
        live.initiate(70000)
    until(lambda: len(claimed_at()) >= SLOTS, 60, live.logs)

    call_command("pause", "--kind", "bundle", "--wait", "30")
    paused = QueueLimit.objects.get().changed_at
    drained = len(claimed_at())
    time.sleep(3)  # the dispatcher ticks, and must not start any

    assert seconds_until(claimed_at()[-1], paused) < WITHIN_SECONDS
    assert (len(claimed_at()), running()) == (drained, 0)
    assert DownloadJob.objects.filter(status=Status.QUEUED).exists()

    resumed = database_time()
    call_command("resume", "--kind", "bundle")
    until(lambda: len(claimed_at()) >= drained + SLOTS, 30, live.logs)

    assert seconds_until(claimed_at()[drained], resumed) < WITHIN_SECONDS


def test_a_higher_limit_counts_within_a_second(live: Live, client: Client, operator: User) -> None:
    limit = QueueLimit.objects.create(scope="kind", name="bundle", max_running=1)
    client.force_login(operator)
    for _ in range(20):
        live.initiate(70000)
    until(lambda: len(claimed_at()) >= 3, 60, live.logs)
    assert running() <= 1

    url = f"/admin/jobs/queuelimit/{limit.pk}/change/"
    client.get(url)  # unlike this process, one of the web has loaded its modules
    ping_broker()
    client.post(url, {"max_running": SLOTS})
    until(lambda: running() == SLOTS, 30, live.logs)

    limit.refresh_from_db()
    raised = limit.changed_at
    later = claimed_at(at__gte=raised)
    # The first may be the successor of the one that ran.
    assert seconds_until(later[SLOTS - 2], raised) < WITHIN_SECONDS, later


def test_no_slot_is_idle_while_a_job_may_start(live: Live, alice: User, bob: User) -> None:
    QueueLimit.objects.create(scope="owner", owner=alice, max_running=1)
    for _ in range(15):
        live.initiate(70000)
    until(lambda: running(owner=alice) == 1, 60, live.logs)
    live.sign_in(bob)
    for _ in range(10):
        live.initiate(70000)

    most_of_alice, seen, idle = 0, 0, 0
    while DownloadJob.objects.filter(owner=bob, status=Status.QUEUED).exists():
        most_of_alice = max(most_of_alice, running(owner=alice))
        seen, idle = seen + 1, idle + (running(owner=bob) < SLOTS - 1)
        time.sleep(0.02)

    claims = claimed_at(job__owner=bob)
    spent = seconds_until(claims[-1], claims[0])
    assert most_of_alice == 1
    assert spent < 10 * JOB_SECONDS, f"{spent} s: one slot alone takes as long"
    assert idle < seen / 3, "between two jobs a slot is empty for a moment"
