"""Several faults at once, and the history that an operator reads afterwards."""

from __future__ import annotations

import os
import re
import signal

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import DownloadJob
from jobs.states import Event, Status
from tests.faults.rig import Rig, slow
from tests.live import children, until

# What the admin shows for each attempt, in this order.
STORY = [
    ("claim", 1), ("rescue", 1),
    ("claim", 2), ("retry", 2),
    ("claim", 3), ("hand_back", 3),
    ("claim", 4), ("succeed", 4),
]  # fmt: skip


@pytest.mark.long
def test_three_faults_one_story(service: Rig, operator: User) -> None:
    """A job's process is killed, then the file store is down, then its worker is stopped."""
    worker = service.worker(**slow(2))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")
    for child in children(worker.popen.pid):
        os.kill(child, signal.SIGKILL)
    service.timed(lambda: DownloadJob.objects.get(pk=job_id).attempt == 2)
    service.lines["S3"].answer_errors(1.0, seed=1)
    service.timed(lambda: DownloadJob.objects.get(pk=job_id).failures == 1)
    service.lines["S3"].pass_on()
    service.timed(lambda: DownloadJob.objects.get(pk=job_id).attempt == 3)
    worker.popen.send_signal(signal.SIGTERM)
    worker.popen.wait(30)
    service.worker()

    service.judge()

    job = DownloadJob.objects.get(pk=job_id)
    assert [(line.event, line.attempt) for line in job.events.all()] == [("submit", 0), *STORY]
    assert job.events.get(event="retry").code == "storage_unavailable"
    desk = Client()
    desk.force_login(operator)
    page = desk.get(f"/admin/jobs/downloadjob/{job_id}/change/").content.decode()
    shown = re.findall(r"<p>\s*(\w[\w ]*), attempt (\d)", page)
    assert [(name, int(attempt)) for name, attempt in shown] == [
        (Event(event).label, attempt) for event, attempt in [("submit", 0), *STORY]
    ]
    for error in ("worker_lost", "died or stopped responding", "storage_unavailable", "SlowDown"):
        assert error in page
    service.figure("attempts", job.attempt, bound=4, unit="attempts")


@pytest.mark.long
def test_everything_restarts(service: Rig) -> None:
    """Postgres, Redis and the file store restart, one after the other, with 60 jobs."""
    ids = [service.initiate(70000, 70002) for _ in range(60)]
    for _ in range(2):
        service.worker(**slow(1))
    until(lambda: service.statuses(ids)["processing"])

    for name in ("Redis", "S3", "Postgres"):
        assert not service.all_final(ids), "there was nothing to do any more"
        service.restart(name, down_seconds=1)
    service.figure("until all was done", service.timed(service.all_final, 120), bound=90)

    service.judge(within=120)
    assert service.statuses() == {Status.COMPLETED: 60}
