"""A kind decides how often a failed attempt is repeated, and after how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.errors import BuildError
from jobs.kinds.registry import KINDS
from jobs.lib.backoff import backoff_seconds
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.testing import run_job
from jobs.web.wording.progress_text import attempt_progress_text
from tests.kinds import SmallKind


class Busy(BuildError):
    code = "busy"
    meaning = "The model is busy."
    retryable = True


class Patient(SmallKind):
    """Fails each time with an error that may pass."""

    name, label = "patient", "Patient"
    retry_delays = (60, 600)

    def build(self, loaded: Any, work: Any) -> None:
        raise Busy("The model is busy.")


class Once(Patient):
    name, label = "once", "Once"
    retry_delays = ()


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch, broker: Any) -> None:
    for kind in (Patient(), Once()):
        monkeypatch.setitem(KINDS, kind.name, kind)


@pytest.mark.django_db(transaction=True)
def test_a_failed_attempt_waits_as_long_as_the_kind_says(alice: User) -> None:
    job = run_job(Patient, owner=alice).job

    assert (job.status, job.error_code) == (Status.QUEUED, "busy")
    wait = job.available_at - timezone.now()
    assert timedelta(seconds=30) < wait <= timedelta(minutes=1)
    assert attempt_progress_text(job) == "attempt 2 of 3"


@pytest.mark.django_db(transaction=True)
def test_without_delays_there_is_one_attempt(alice: User) -> None:
    job = run_job(Once, owner=alice).job

    assert (job.status, job.error_code) == (Status.FAILED, "busy")


@pytest.mark.parametrize(("failures", "seconds"), [(0, 60), (1, 600), (2, None), (9, None)])
def test_the_delays_are_used_in_order(failures: int, seconds: int | None) -> None:
    assert backoff_seconds(failures, Patient.retry_delays) == seconds


def test_a_last_attempt_is_announced(alice: User) -> None:
    job = DownloadJob(kind="patient", status=Status.QUEUED, attempt=4, failures=2)

    assert attempt_progress_text(job) == "attempt 5, the last one"
