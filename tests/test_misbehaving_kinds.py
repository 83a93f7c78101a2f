"""A builder that breaks the rules: its job fails clearly, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.kinds import Kind, Workspace
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.testing import run_job
from tests.links import left_behind

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
