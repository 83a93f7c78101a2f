"""`manage.py seed_load` writes rows that the service accepts as its own."""

from __future__ import annotations

from collections import Counter
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from jobs.engine import quota
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, JobEvent, StoredFile
from jobs.operations import load_rows
from jobs.states import FINAL, Event, Status
from tests.pages.looks import BROWSER

pytestmark = pytest.mark.django_db(transaction=True)  # VACUUM


def seed(*options: str) -> str:
    printed = StringIO()
    call_command("seed_load", *options, stdout=printed)
    return printed.getvalue()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_rows, "BATCH", 500)


def test_the_jobs_are_finished_and_of_every_kind(batches: None) -> None:
    assert "800 jobs" in seed("--jobs", "800", "--owners", "7")

    jobs = DownloadJob.objects.all()
    assert jobs.count() == 800
    assert {job.kind for job in jobs} == set(KINDS)
    assert {job.status for job in jobs} == FINAL
    assert jobs.values("owner").distinct().count() > 3
    assert (jobs[0].created_at - jobs.last().created_at).days == pytest.approx(364, abs=1)


def test_their_files_and_history_fit_their_status(batches: None) -> None:
    seed("--jobs", "600", "--owners", "3", "--days", "90")

    completed = DownloadJob.objects.filter(status=Status.COMPLETED)
    files = StoredFile.objects.filter(made_by__in=completed)
    assert completed.count() == files.count() > 0
    assert all(job.artifact.made_by_id == job.pk for job in completed.select_related("artifact"))
    ends = {
        Status.COMPLETED: Event.SUCCEED,
        Status.EXPIRED: Event.EXPIRE,
        Status.FAILED: Event.FAIL,
        Status.CANCELLED: Event.CANCEL,
    }
    for status, event in ends.items():
        jobs = DownloadJob.objects.filter(status=status)
        assert JobEvent.objects.filter(event=event, job__in=jobs).count() == jobs.count(), status
    tracebacks = Counter(JobEvent.objects.exclude(code="").values_list("job", flat=True))
    assert set(tracebacks.values()) == {4}


def test_the_sums_of_the_owners_are_right(batches: None) -> None:
    seed("--jobs", "600", "--owners", "3", "--days", "20")
    seed("--jobs", "600", "--owners", "3", "--days", "20")

    quota._audited = 0
    assert quota.audit_quotas(100) == 0
    assert User.objects.filter(username__startswith="load-").count() == 3


def test_the_api_and_the_pages_show_them(batches: None) -> None:
    seed("--jobs", "100", "--owners", "1")
    client = Client(headers=BROWSER)
    client.force_login(User.objects.get(username="load-1"))

    assert client.get("/downloads").status_code == 200
    for job in DownloadJob.objects.all()[:20]:
        page = client.get(f"/downloads/{job.pk}")
        status = client.get(f"/v1/download/status/{job.pk}", headers={"Accept": "application/json"})
        assert (page.status_code, status.json()["status"]) == (200, job.status), job.kind


def test_it_refuses_in_production(settings: Any) -> None:
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="production"):
        seed("--jobs", "10")

    assert not DownloadJob.objects.exists()
