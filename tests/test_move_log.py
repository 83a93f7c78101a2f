"""Every move of a job is one line of the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.db import transaction

from jobs.engine import runner
from jobs.engine.expiry import expire_jobs
from jobs.engine.submission import submit_job
from jobs.errors import StaleJob
from jobs.models import DownloadJob, StoredFile
from jobs.models.move_log import PAST
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory

pytestmark = pytest.mark.django_db(transaction=True)
Lines = list[dict[str, Any]]


class Collect(logging.Handler):
    """Collects what the service logs. structlog's own capture misses loggers that were used."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Lines = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, dict):
            self.lines.append(record.msg)


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger, collect = logging.getLogger("jobs"), Collect()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(collect)
    structlog.contextvars.clear_contextvars()  # of a request that an earlier test made
    yield collect.lines
    logger.removeHandler(collect)
    logger.setLevel(level)


def start(job: DownloadJob) -> None:
    DownloadJob.objects.filter(pk=job.pk).update(available_at="2000-01-01T00:00Z")
    job.claim(task_id="task-1", worker="worker@test")


def test_every_move_has_a_line(alice: User, lines: Lines) -> None:
    job, _ = submit_job(
        owner=alice, kind="bundle", params={"file_ids": []}, request_id="the-request"
    )
    start(job)
    job.retry("code", "Sentence.", after_seconds=9)
    start(job)
    job.hand_back()
    start(job)
    job.rescue(Actor.DISPATCHER)
    start(job)
    job.fail("source_missing", "secret.txt is gone.", detail="secret.txt")
    job.requeue(Actor.OPERATOR, total=None)
    job.cancel(Actor.OWNER)
    job.requeue(Actor.OWNER, total=None)
    start(job)
    job.succeed(None)
    DownloadJob.objects.update(expires_at="2000-01-01T00:00Z")
    job.expire()

    assert [line["event"] for line in lines] == [
        *("submitted", "claimed", "retried", "claimed", "handed back", "claimed", "rescued"),
        *("claimed", "failed", "requeued", "cancelled", "requeued"),
        *("claimed", "succeeded", "expired"),
    ]
    for line in lines:
        assert line["job_id"] == str(job.pk)
        assert line["request_id"] == "the-request"
        assert line["kind"] == "bundle"
    assert [line["attempt"] for line in lines] == [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5]
    retried, failed, requeued = lines[2], lines[8], lines[9]
    assert (retried["code"], retried["retry_in_seconds"]) == ("code", 9)
    assert (failed["code"], failed["worker"], failed["by"]) == (
        *("source_missing", "worker@test", "worker"),
    )
    assert requeued["by"] == "operator"
    assert lines[6]["level"] == "warning"  # rescued
    assert "secret.txt" not in str(lines)


def test_moves_of_blocked_jobs_have_lines(alice: User, lines: Lines) -> None:
    held, lost = JobFactory(owner=alice, held=True), JobFactory(owner=alice, held=True)
    dependency = JobFactory(owner=alice, status=Status.FAILED)

    held.release()
    lost.fail_with_dependency(dependency)

    assert [line["event"] for line in lines] == ["released", "failed"]
    assert lines[1]["code"] == "dependency_failed"


def test_every_event_has_a_word() -> None:
    assert set(PAST) == set(Event)


def test_a_move_that_is_rolled_back_or_refused_has_no_line(
    running_job: DownloadJob, lines: Lines
) -> None:
    with transaction.atomic():
        running_job.hand_back()
        transaction.set_rollback(True)
    ghost = DownloadJob.objects.get()
    ghost.attempt += 1
    with pytest.raises(StaleJob):
        ghost.succeed(None)

    assert lines == []


def test_a_move_names_the_request_that_caused_it(queued_job: DownloadJob, lines: Lines) -> None:
    DownloadJob.objects.update(request_id="the first")
    queued_job.refresh_from_db()

    with structlog.contextvars.bound_contextvars(request_id="the second"):
        queued_job.cancel(Actor.OWNER)

    assert (lines[0]["request_id"], lines[0]["by_request_id"]) == ("the first", "the second")


def test_the_end_of_an_attempt_says_how_long_its_phases_took(
    alice: User, stored_files: list[StoredFile], lines: Lines
) -> None:
    job = JobFactory(owner=alice, params={"file_ids": [70000]}, total=2_000_009)

    runner.run_job(job.pk, task_id="task-1", worker="worker@test")

    starts = [line["event"] for line in lines if line["level"] == "debug"]
    assert starts == ["load starts", "build starts", "store starts"]
    (ended,) = [line for line in lines if line["event"] == "succeeded"]
    assert {"load_seconds", "build_seconds", "store_seconds"} <= ended.keys()
    assert "phase" not in ended
    assert structlog.contextvars.get_contextvars() == {}


def test_a_failure_says_in_which_phase(
    alice: User, stored_files: list[StoredFile], bucket: Any, lines: Lines
) -> None:
    bucket.delete(stored_files[0].key)
    job = JobFactory(owner=alice, params={"file_ids": [stored_files[0].file_id]})

    runner.run_job(job.pk, task_id="task-1", worker="worker@test")

    (ended,) = [line for line in lines if line["event"] == "failed"]
    assert ended["phase"] == "build"
    assert ended["code"] == "source_missing"
    assert structlog.contextvars.get_contextvars() == {}


def test_the_deletion_of_a_job_has_a_line(alice: User, lines: Lines) -> None:
    job = JobFactory(owner=alice, status=Status.CANCELLED, request_id="the-request")
    DownloadJob.objects.update(finished_at="2000-01-01T00:00Z", expires_at=None, collect_at=None)

    assert expire_jobs() == 1

    (line,) = lines
    assert (line["event"], line["job_id"]) == ("deleted", str(job.pk))
    assert (line["request_id"], line["kind"], line["attempt"]) == ("the-request", "bundle", 1)
