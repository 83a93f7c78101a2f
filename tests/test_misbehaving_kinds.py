"""A builder that breaks the rules: its job fails clearly, and nothing is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.kinds import BuildError, Kind, Workspace
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.testing import run_job
from tests.links import left_behind
from tests.live import until

pytestmark = pytest.mark.django_db(transaction=True)
Build = Callable[[Workspace], None]


class Misbehaving(Kind):
    """Builds with the function of the test."""

    name, label, suffix = "misbehaving", "Built", ".txt"
    function: Build

    def load(self, job: DownloadJob) -> Any:
        return None

    def build(self, loaded: Any, work: Workspace) -> None:
        type(self).function(work)


@pytest.fixture
def attempt(alice: User, monkeypatch: pytest.MonkeyPatch, broker: Any) -> Callable[..., Any]:
    """Return a function that runs a job with the given builder."""

    def run(build: Build, **request: Any) -> Any:
        monkeypatch.setattr(Misbehaving, "function", staticmethod(build), raising=False)
        monkeypatch.setitem(KINDS, Misbehaving.name, Misbehaving())
        return run_job(Misbehaving, owner=alice, **request)

    return run


def operators_read(job: DownloadJob) -> str:
    """Return the traceback in the job's last event."""
    return job.events.latest("id").detail


def test_name_outside_the_folder_is_made_safe(attempt: Callable[..., Any]) -> None:
    def build(work: Workspace) -> None:
        work.describe(name="../../x.txt")
        work.output.write(b"x")

    done = attempt(build)

    assert (done.job.name, done.job.artifact.name, done.content) == ("x.txt", "x.txt", b"x")
    assert done.job.artifact.key == f"results/{done.job.pk}/1/x.txt"


def test_name_after_the_first_byte_is_an_error(attempt: Callable[..., Any]) -> None:
    def build(work: Workspace) -> None:
        work.output.write(b"x")
        work.describe(name="late.txt")

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.QUEUED, "unexpected")
    assert "Call describe before the first write to output." in operators_read(done.job)
    assert left_behind(done.job) == []


def test_builder_that_touches_no_output_makes_no_file(attempt: Callable[..., Any]) -> None:
    done = attempt(lambda work: work.say("Nothing to write"))

    assert (done.job.status, done.job.error_code) == (Status.FAILED, "empty_result")
    assert done.job.error == "The job ended without making a file."
    assert left_behind(done.job) == []


def test_builder_may_make_an_empty_file(attempt: Callable[..., Any]) -> None:
    done = attempt(lambda work: work.output.write(b""))

    assert (done.job.status, done.job.artifact.size_bytes) == (Status.COMPLETED, 0)


@pytest.mark.parametrize("unit", ["bytes", "rows"])
def test_builder_that_writes_for_ever_stops_when_the_owner_has_no_room(
    attempt: Callable[..., Any], settings: Any, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    settings.OWNER_STORAGE_BYTES = 20_000_000
    monkeypatch.setattr("jobs.engine.bounded_output.CHECK_EVERY_BYTES", 1_000_000)
    written: list[int] = []

    def build(work: Workspace) -> None:
        work.plan(1, unit)
        while True:
            work.output.write(bytes(500_000))
            written.append(500_000)

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.FAILED, "storage_full")
    assert 18_000_000 <= sum(written) <= 22_000_000
    assert left_behind(done.job) == []


def test_file_that_no_store_takes_is_refused(
    attempt: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.engine.bounded_output.MAX_PARTS", 2)

    def build(work: Workspace) -> None:
        work.plan(100, "rows")
        for _ in range(3):
            work.output.write(bytes(8 * 2**20))

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.FAILED, "archive_too_large")
    assert done.job.error == "The file is larger than 16.8\xa0MB."
    assert left_behind(done.job) == []


@pytest.mark.parametrize(
    "error", [ValueError("password=secret"), AssertionError(), KeyError("a\x00b"), RecursionError()]
)
def test_any_exception_fails_the_attempt_and_only_operators_read_it(
    attempt: Callable[..., Any], client_of_alice: Any, error: Exception
) -> None:
    def build(work: Workspace) -> None:
        work.output.write(bytes(9 * 2**20))
        raise error

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.QUEUED, "unexpected")
    assert done.job.error == "Something went wrong on our side."
    assert type(error).__name__ in operators_read(done.job)
    assert b"secret" not in client_of_alice.get(f"/v1/download/status/{done.job.pk}").content
    assert left_behind(done.job) == []


def test_module_that_is_not_installed_fails_the_attempt(attempt: Callable[..., Any]) -> None:
    def build(work: Workspace) -> None:
        import not_installed  # type: ignore[import-not-found] # noqa: F401

    done = attempt(build)

    assert done.job.error_code == "unexpected"
    assert "No module named 'not_installed'" in operators_read(done.job)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BuildError("The system of record is closed."), ("failed", "build_failed")),
        (ZeroDivisionError(), ("queued", "unexpected")),
    ],
)
def test_rows_that_end_in_an_error_fail_the_attempt(
    attempt: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    outcome: tuple[str, str],
) -> None:
    def rows(job: DownloadJob) -> Iterator[bytes]:
        yield bytes(9 * 2**20)
        raise error

    def build(kind: Misbehaving, loaded: Iterator[bytes], work: Workspace) -> None:
        for row in loaded:
            work.output.write(row)

    monkeypatch.setattr(Misbehaving, "load", lambda self, job: rows(job))
    monkeypatch.setattr(Misbehaving, "build", build)

    done = attempt(lambda work: None)

    assert (done.job.status, done.job.error_code) == outcome
    assert left_behind(done.job) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"user": object()}, "What was noted is not JSON"),
        ({"text": "x" * 16_384}, "What was noted has 16,396 bytes"),
        ({"text": "a\x00"}, "What was noted has a NUL character."),
    ],
    ids=["object", "large", "nul"],
)
def test_facts_that_cannot_be_stored_are_an_error(
    attempt: Callable[..., Any], facts: dict[str, Any], reason: str
) -> None:
    done = attempt(lambda work: work.note(**facts))

    assert (done.job.status, done.job.error_code) == (Status.QUEUED, "unexpected")
    assert reason in operators_read(done.job)
    assert done.job.metadata == {}


def test_long_texts_are_cut(attempt: Callable[..., Any], settings: Any) -> None:
    settings.BEAT_SECONDS = 0.1

    def build(work: Workspace) -> None:
        work.say("m" * 1_000 + "\x00")
        until(lambda: DownloadJob.objects.get(kind="misbehaving").message.startswith("mmm"))
        raise BuildError("e\x00" * 1_000)

    done = attempt(build)

    assert (done.job.status, done.job.error) == (Status.FAILED, "e" * 250)


def test_builder_that_hangs_is_stopped(attempt: Callable[..., Any], settings: Any) -> None:
    settings.BEAT_SECONDS, settings.STALLED_SECONDS = 0.1, 1

    def build(work: Workspace) -> None:
        work.output.write(bytes(9 * 2**20))
        time.sleep(60)

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.QUEUED, "stalled")
    assert left_behind(done.job) == []


def test_builder_that_takes_too_long_is_stopped(
    attempt: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Misbehaving, "time_limit_seconds", 1)

    def build(work: Workspace) -> None:
        while True:
            work.say(f"At {time.monotonic()}")
            time.sleep(0.01)

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.FAILED, "timeout")
    assert left_behind(done.job) == []
