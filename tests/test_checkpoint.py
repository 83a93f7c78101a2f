"""`work.checkpoint`: the next attempt resumes from what an earlier one saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from jobs.engine import runner
from jobs.engine.submission import resubmit_job, submit_job
from jobs.errors import BuildError, StorageUnavailable
from jobs.kinds import Kind, Workspace
from jobs.kinds.registry import KINDS
from jobs.lib.digest import Digest
from jobs.models import DownloadJob
from jobs.states import Actor, Event, Status
from jobs.testing import run
from tests.live import Live, on_this_database, until
from tests.special_kinds import Migrate

MIGRATE = "tests.special_kinds.Migrate"
ANA = User(username="ana")


def test_in_memory_a_run_goes_on_from_a_checkpoint() -> None:
    from_start = run(Migrate, owner=ANA)
    resumed = run(Migrate, owner=ANA, checkpoint={"next": 7})

    assert (from_start.metadata, from_start.checkpoint) == ({"first": 0}, {"next": 10})
    assert (resumed.metadata, resumed.checkpoint) == ({"first": 7}, {"next": 10})
    assert resumed.progress[0] == (7, 10, "rows")


class Built(Kind):
    name, label = "built", "Built"
    function: Callable[[Workspace], None]

    def load(self, job: DownloadJob) -> None:
        return None

    def build(self, loaded: None, work: Workspace) -> None:
        type(self).function(work)


@pytest.fixture
def job(alice: User, monkeypatch: pytest.MonkeyPatch, broker: Any) -> DownloadJob:
    monkeypatch.setitem(KINDS, Built.name, Built())
    job, _ = submit_job(owner=alice, kind="built", params={})
    return job


@pytest.fixture
def attempt(job: DownloadJob, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DownloadJob]:
    """Return a function that runs one attempt with the given builder."""

    def run_attempt(build: Callable[[Workspace], None]) -> DownloadJob:
        monkeypatch.setattr(Built, "function", staticmethod(build), raising=False)
        DownloadJob.objects.filter(pk=job.pk).update(available_at=Now())
        runner.run_job(job.pk, task_id="task-1", worker="worker@test")
        job.refresh_from_db()
        return job

    return run_attempt


def saves(value: Any, *, then: BaseException | None = None) -> Callable[[Workspace], None]:
    def build(work: Workspace) -> None:
        work.save_checkpoint(value)
        work.output.write(b"x")
        if then:
            raise then

    return build


AWAY = StorageUnavailable("The file store could not be reached.")


@pytest.mark.django_db(transaction=True)
def test_retry_of_the_service_resumes_and_retry_of_the_owner_starts_anew(
    attempt: Callable[..., DownloadJob],
) -> None:
    seen: list[Any] = []

    def build(work: Workspace) -> None:
        seen.append(work.checkpoint)
        saves((1, {"key": "a"}), then=AWAY if len(seen) == 1 else BuildError("No."))(work)

    attempt(build)
    job = attempt(build)
    resubmit_job(job, Actor.OWNER)
    attempt(build)

    assert seen == [None, [1, {"key": "a"}], None]


@pytest.mark.django_db(transaction=True)
def test_changed_object_is_saved_again(attempt: Callable[..., DownloadJob]) -> None:
    def build(work: Workspace) -> None:
        state = {"n": 1}
        work.save_checkpoint(state)
        state["n"] = 2
        work.save_checkpoint(state)
        raise AWAY

    assert attempt(build).checkpoint == {"saved": {"n": 2}}


@pytest.mark.django_db(transaction=True)
def test_checkpoint_and_parts_do_not_disturb_each_other(
    attempt: Callable[..., DownloadJob], bucket: Any
) -> None:
    total = 5 * 2**20 + 1
    found: list[Any] = []

    def first(work: Workspace) -> None:
        work.save_checkpoint("before")
        parts = work.parts(total, "v1")
        parts.put(0, b"a" * parts.part_bytes)
        work.save_checkpoint("after")
        raise AWAY

    def second(work: Workspace) -> None:
        found.extend([work.checkpoint, work.first_gap()])
        parts = work.parts(total, "v1")
        digest = Digest()
        parts.put(1, b"b")
        parts.finish(digest)

    attempt(first)
    job = attempt(second)

    assert found == ["after", (5 * 2**20, total)]
    assert (job.status, job.artifact.size_bytes) == (Status.COMPLETED, total)


@pytest.mark.django_db(transaction=True)
def test_checkpoint_stays_when_the_parts_are_dropped(
    attempt: Callable[..., DownloadJob], bucket: Any
) -> None:
    def build(work: Workspace) -> None:
        work.save_checkpoint("kept")
        work.parts(6 * 2**20, "v1")
        work.drop_parts()
        raise AWAY

    assert attempt(build).checkpoint == {"saved": "kept"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 16_383, "The checkpoint has 16,385 bytes as JSON, over 16,384."),
        ({1, 2}, "The checkpoint is not JSON: Object of type set is not JSON serializable"),
        (float("nan"), "The checkpoint is not JSON"),
        (["a\x00b"], "The checkpoint has a NUL character."),
        ("\ud800", "The checkpoint is not JSON"),
    ],
    ids=["large", "set", "nan", "nul", "surrogate"],
)
def test_value_that_cannot_be_stored_is_an_error(
    attempt: Callable[..., DownloadJob], value: Any, reason: str
) -> None:
    job = attempt(saves(value))

    assert (job.status, job.error_code) == (Status.QUEUED, "unexpected")
    assert reason in job.events.latest("id").detail
    assert job.checkpoint is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("value", ["x" * 16_382, "a\\u0000b", "\\\\u0000", "é", [1, None]])
def test_value_that_can_be_stored_is_read_back(
    attempt: Callable[..., DownloadJob], value: Any
) -> None:
    job = attempt(saves(value, then=AWAY))

    assert job.checkpoint == {"saved": value}


@pytest.mark.django_db(transaction=True)
def test_attempt_that_lost_its_job_saves_nothing(
    job: DownloadJob, attempt: Callable[..., DownloadJob]
) -> None:
    def build(work: Workspace) -> None:
        DownloadJob.objects.get(pk=job.pk).cancel(Actor.OWNER)
        work.save_checkpoint("late")

    assert attempt(build).checkpoint is None


# With real processes


@pytest.fixture
def live(tmp_path: Path, bucket: object) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database() | {"KINDS": MIGRATE})
    try:
        live.start("dispatcher")
        yield live
    finally:
        live.stop()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_worker_killed_halfway_is_resumed_by_another(
    live: Live, alice: User, tmp_path: Path, add_kinds: Any
) -> None:
    add_kinds(MIGRATE)
    gate = tmp_path / "gate"
    gate.touch()
    worker = live.start("worker")
    job, _ = submit_job(owner=alice, kind="migrate", params={"gate": str(gate)})
    row = DownloadJob.objects.filter(pk=job.pk)
    until(lambda: row.get().checkpoint == {"saved": {"next": 5}}, 60, live.logs)

    live.kill(worker)
    gate.unlink()
    live.start("worker")
    until(lambda: row.get().is_finished, 60, live.logs)

    job = row.get()
    assert (job.status, job.attempt, job.metadata) == (Status.COMPLETED, 2, {"first": 5})
    assert (job.done, job.progress) == (10, 1)
    assert job.events.filter(event=Event.RESCUE).count() == 1
