"""Connections and results that a worker keeps between jobs, in real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django_celery_results.models import TaskResult

from jobs import storage
from jobs.models import DownloadJob, StoredFile
from tests.live import Live, on_this_database, until

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "the-worker"  # names of its connections, as Postgres lists them


@pytest.fixture
def live(tmp_path: Path, alice: User, stored_files: list[StoredFile]) -> Iterator[Live]:
    """Web, and a worker with one process."""
    live = Live(tmp_path, on_this_database())
    try:
        live.start("web")
        live.start("worker", "--concurrency=1", PGAPPNAME=NAME)
        live.sign_in(alice)
        yield live
    finally:
        live.stop()


def run(live: Live, file_id: int = 70000) -> DownloadJob:
    """Run one job to its end."""
    job_id = live.initiate(file_id)
    live.wait_for(job_id, "completed", "failed")
    return DownloadJob.objects.get(pk=job_id)


def connections_of_worker() -> list[int]:
    with connection.cursor() as cursor:
        found = "SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY pid"
        return [pid for (pid,) in cursor.execute(found, [NAME])]


def test_jobs_of_one_process_share_a_connection(live: Live) -> None:
    run(live)
    before = connections_of_worker()

    run(live)

    assert len(before) == 1
    assert connections_of_worker() == before


def test_a_connection_lost_between_two_jobs_is_replaced(live: Live) -> None:
    run(live)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [
            connections_of_worker()
        ])  # fmt: skip

    job = run(live)

    assert [line.event for line in job.events.all()] == ["submit", "claim", "succeed"]
    assert "Error" not in live.processes[1].log.read_text()


def test_a_task_result_is_stored_for_a_failed_attempt_only(live: Live) -> None:
    storage.bucket().delete("catalogue/70001/empty.txt")

    completed, failed = run(live), run(live, 70001)

    result = until(TaskResult.objects.first)
    assert (completed.status, failed.status) == ("completed", "failed")
    assert (result.task_id, result.result) == (failed.task_id, '"failed"')
    assert TaskResult.objects.count() == 1
