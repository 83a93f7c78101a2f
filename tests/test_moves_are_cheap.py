"""Each transition is one statement, which does all of it or nothing."""

from __future__ import annotations

import gc
import threading
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db.utils import ConnectionHandler
from django.test.utils import CaptureQueriesContext

from jobs.engine import runner
from jobs.engine.heartbeat import Heartbeat
from jobs.engine.time_limit import TimeLimit
from jobs.errors import StaleJob
from jobs.models import DownloadJob, JobEvent, StoredFile
from jobs.models.notification import NotificationQuerySet
from jobs.states import Actor, Event, Status
from tests.factories import ArtifactFactory, JobFactory
from tests.live import until

pytestmark = pytest.mark.django_db(transaction=True)


def artifact_of(job: DownloadJob, **fields: Any) -> StoredFile:
    made: StoredFile = ArtifactFactory.build(owner=job.owner, made_by=job, **fields)
    return made


def values(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_claim_is_one_statement_that_reads_the_row(queued_job: DownloadJob) -> None:
    job = DownloadJob(pk=queued_job.pk)

    with CaptureQueriesContext(connection) as asked:
        job.claim(task_id="task-1", worker="worker@test")

    assert len(asked) == 1, asked.captured_queries
    assert values(job) == values(DownloadJob.objects.get())
    assert job.params == queued_job.params


def test_a_success_is_one_statement_with_its_artifact(running_job: DownloadJob) -> None:
    artifact = artifact_of(running_job)

    with CaptureQueriesContext(connection) as asked:
        running_job.succeed(artifact)
        assert running_job.artifact == artifact

    assert len(asked) == 1, asked.captured_queries
    assert values(running_job) == values(DownloadJob.objects.get())
    assert values(artifact) == values(StoredFile.objects.get())
    assert artifact.expires_at == running_job.expires_at
    assert [line.event for line in running_job.events.all()] == [Event.CLAIM, Event.SUCCEED]


def test_a_small_job_makes_three_queries(alice: User, stored_files: list[StoredFile]) -> None:
    job = JobFactory(owner=alice, params={"file_ids": [70000]}, total=2_000_009)

    with CaptureQueriesContext(connection) as asked:
        runner.run_job(job.pk, task_id="task-1", worker="worker@test")

    assert DownloadJob.objects.get().status == Status.COMPLETED
    assert len(asked) == 3, asked.captured_queries  # claim, sources, success


def test_the_heartbeat_of_short_work_opens_no_connection(
    running_job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], ConnectionHandler.create_connection

    def noted(self: ConnectionHandler, alias: str) -> Any:
        made.append(threading.current_thread().name)
        return make(self, alias)

    monkeypatch.setattr(ConnectionHandler, "create_connection", noted)

    with Heartbeat(running_job, TimeLimit(10, 1, 10)):
        pass
    short = list(made)
    with Heartbeat(running_job, TimeLimit(10, 1, 10)):
        until(lambda: made)

    assert short == []
    assert made == ["heartbeat"]


@pytest.mark.parametrize("event", ["cancel", "retry", "fail", "hand_back"])
def test_other_transitions_are_one_statement_too(running_job: DownloadJob, event: str) -> None:
    verbs = {
        "cancel": lambda: running_job.cancel(Actor.OWNER),
        "retry": lambda: running_job.retry("code", "Sentence.", after_seconds=1),
        "fail": lambda: running_job.fail("code", "Sentence."),
        "hand_back": running_job.hand_back,
    }

    with CaptureQueriesContext(connection) as asked:
        verbs[event]()

    assert len(asked) == 1, asked.captured_queries
    assert values(running_job) == values(DownloadJob.objects.get())


def test_a_success_with_other_files_records_them_all(running_job: DownloadJob) -> None:
    artifact, thumbnail = artifact_of(running_job), artifact_of(running_job, role="thumbnail")

    running_job.succeed(artifact, others=[thumbnail])

    assert running_job.artifact == artifact
    assert set(running_job.files.all()) == {artifact, thumbnail}
    assert values(running_job) == values(DownloadJob.objects.get())


def test_a_late_transition_changes_nothing(running_job: DownloadJob) -> None:
    late = DownloadJob.objects.get()
    running_job.cancel(Actor.OWNER)
    before, artifact = values(late), artifact_of(late)

    with pytest.raises(StaleJob):
        late.succeed(artifact)

    assert values(late) == before
    assert artifact.pk is None
    assert not StoredFile.objects.exists()
    assert not JobEvent.objects.filter(event=Event.SUCCEED).exists()


def test_an_artifact_that_cannot_be_inserted_leaves_the_job_running(
    running_job: DownloadJob,
) -> None:
    artifact_of(running_job, key="results/one").save()

    with pytest.raises(IntegrityError):
        running_job.succeed(artifact_of(running_job, key="results/one"))

    assert DownloadJob.objects.get().status == Status.PROCESSING
    assert not JobEvent.objects.filter(event=Event.SUCCEED).exists()


def test_a_success_without_its_notification_is_rolled_back(
    running_job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    DownloadJob.objects.update(webhook="https://example.org/hook")
    running_job.refresh_from_db()

    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(NotificationQuerySet, "_put", broken)

    with pytest.raises(ZeroDivisionError):
        running_job.succeed(artifact_of(running_job))

    assert DownloadJob.objects.get().status == Status.PROCESSING
    assert not StoredFile.objects.exists()


def test_an_unknown_job_cannot_be_claimed() -> None:
    with pytest.raises(StaleJob):
        DownloadJob(pk=uuid4()).claim(task_id="task-1", worker="worker@test")


def test_delays_do_not_fill_the_memory_with_statements(running_job: DownloadJob) -> None:
    from jobs.models import transition

    for seconds in range(110):
        running_job.retry("code", "Sentence.", after_seconds=seconds)
        DownloadJob.objects.update(available_at="2000-01-01T00:00Z")
        running_job.claim(task_id="t", worker="w")
    gc.collect()

    assert transition._compiled.cache_info().currsize <= 100
