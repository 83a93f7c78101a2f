"""Reports, from the request to the file. tests/reports tests their content."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pypdf import PdfReader
from rest_framework.test import APIClient

from jobs.engine import runner, sweeps
from jobs.engine.submission import resubmit_job
from jobs.kinds.registry import KINDS
from jobs.kinds.report.document import PDF_ROWS
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Status
from tests.factories import JobFactory, UploadJobFactory, staff_who_may
from tests.live import on_this_database

REPORTS = "/reports"

# The runner has its own connection.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("made_bucket")]


def request_report(client: APIClient, **body: Any) -> DownloadJob:
    response = client.post(REPORTS, body, "json")
    assert response.status_code == 202, response.content
    return DownloadJob.objects.get(pk=response.json()["jobId"])


def run_and_fetch(client: APIClient, job: DownloadJob) -> bytes:
    runner.run_job(job.pk, task_id="task-1", worker="worker@test")
    return fetch(client, job)


def fetch(client: APIClient, job: DownloadJob) -> bytes:
    """Follow the redirect, as a client does."""
    response = client.get(f"/reports/{job.pk}/download")
    assert response.status_code == 302, client.get(f"/reports/{job.pk}/status").content
    return requests.get(response["Location"], timeout=10).content


def test_body_is_optional(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(REPORTS)

    assert response.status_code == 202
    body = response.json()
    assert body["id"] == body["jobId"]
    assert (body["status"], body["message"]) == ("queued", "Report generation started")
    assert response["Location"] == f"/v1/download/status/{body['id']}"
    job = DownloadJob.objects.get()
    assert job.params == {"period": "30d", "format": "pdf", "everybody": False}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"period": "30"}, "period"),
        ({"period": "0d"}, "period"),
        ({"period": "367d"}, "period"),
        ({"period": 30}, "period"),
        ({"period": "30d", "from": "2026-10-01", "to": "2026-10-31"}, "period"),
        ({"from": "2026-10-01"}, "to"),
        ({"to": "2026-10-01"}, "from"),
        ({"from": "2026-10-02", "to": "2026-10-01"}, "to"),
        ({"from": "2026-10-01", "to": "9999-12-31"}, "to"),  # no day follows it
        ({"from": "2025-01-01", "to": "2026-10-01"}, "to"),
        ({"from": "2026-02-30", "to": "2026-10-01"}, "from"),
        ({"from": "2026-10-01T00:00:00Z", "to": "2026-10-01"}, "from"),
        ({"format": "docx"}, "format"),
        ({"everybody": True}, "everybody"),
        ({"everybody": "yes"}, "everybody"),
        ({"output": "x.pdf"}, "output"),
    ],
)
def test_invalid_request_is_400(
    client_of_alice: APIClient, body: dict[str, Any], field: str
) -> None:
    response = client_of_alice.post(REPORTS, body, "json")

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_pdf_has_only_the_jobs_of_its_owner(
    client_of_alice: APIClient, alice: User, bob: User
) -> None:
    JobFactory(owner=alice, name="Frames of November.zip")
    JobFactory(owner=bob, name="Bob.zip")
    old = timezone.now() - timedelta(days=8)
    JobFactory(owner=alice, name="Long ago.zip", created_at=old)
    job = request_report(client_of_alice, period="7d")

    content = run_and_fetch(client_of_alice, job)

    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    assert "Frames of November.zip" in text
    assert "Bob.zip" not in text
    assert "Long ago.zip" not in text
    job.refresh_from_db()
    assert job.name.startswith("Activity ")
    assert (job.unit, job.done, job.artifact.content_type) == ("jobs", job.total, "application/pdf")
    assert job.artifact.file_id  # can be added to a bundle


def test_staff_can_report_on_all_users(
    client_of_operator: APIClient, alice: User, bob: User
) -> None:
    for owner in (alice, bob):
        JobFactory(owner=owner, name=f"{owner.username}.zip")
    job = request_report(client_of_operator, everybody=True, format="csv")

    rows = list(
        csv.DictReader(io.StringIO(run_and_fetch(client_of_operator, job).decode("utf-8-sig")))
    )

    assert {row["name"] for row in rows} == {"alice.zip", "bob.zip"}


@pytest.mark.parametrize(
    ("codename", "status"),
    [(None, 400), ("view_storedfile", 400), ("view_downloadjob", 202), ("change_downloadjob", 202)],
)
def test_report_on_all_users_needs_the_permission_to_view_jobs(
    broker: Any, codename: str | None, status: int
) -> None:
    client = APIClient()
    client.force_authenticate(staff_who_may(codename))

    response = client.post("/reports", {"everybody": True})

    assert response.status_code == status
    assert DownloadJob.objects.exists() == (status == 202)


def test_report_after_losing_the_permission_has_only_own_jobs(alice: User) -> None:
    JobFactory(owner=alice, name="alice.zip")
    client = APIClient()
    client.force_authenticate(viewer := staff_who_may("view_downloadjob"))
    job = request_report(client, everybody=True, format="csv")
    viewer.user_permissions.clear()

    assert b"alice.zip" not in run_and_fetch(client, job)


def test_report_after_losing_staff_status_has_only_own_jobs(
    client_of_operator: APIClient, alice: User
) -> None:
    JobFactory(owner=alice, name="alice.zip")
    job = request_report(client_of_operator, everybody=True, format="csv")
    User.objects.filter(pk=job.owner_id).update(is_staff=False)

    assert b"alice.zip" not in run_and_fetch(client_of_operator, job)


def test_job_cancelled_after_a_requeue_has_no_running_time(
    client_of_alice: APIClient, alice: User
) -> None:
    long_ago = timezone.now() - timedelta(days=2)
    other = JobFactory(owner=alice, status=Status.FAILED, started_at=long_ago, finished_at=long_ago)
    resubmit_job(other, Actor.OWNER)
    other.cancel(Actor.OWNER)

    report = json.loads(
        run_and_fetch(client_of_alice, request_report(client_of_alice, format="json"))
    )

    assert report["runningSeconds"] is None


def test_waiting_time_starts_when_the_job_could_run(
    client_of_alice: APIClient, alice: User
) -> None:
    now = timezone.now()
    JobFactory(
        owner=alice,
        status=Status.COMPLETED,
        created_at=now - timedelta(hours=5),
        run_at=now - timedelta(seconds=100),
        started_at=now - timedelta(seconds=90),
        finished_at=now - timedelta(seconds=60),
    )
    JobFactory(owner=alice, status=Status.FAILED, error_code="remote_refused", name="x")
    job = request_report(client_of_alice, format="json")

    report = json.loads(run_and_fetch(client_of_alice, job))

    assert report["jobs"] == 2
    assert report["byKind"]["bundle"]["byStatus"] == {"completed": 1, "failed": 1}
    assert report["failures"][0]["code"] == "remote_refused"
    row = next(row for row in report["rows"] if row["status"] == "completed")
    assert (row["waitedSeconds"], row["ranSeconds"]) == (10, 30)


def test_requeued_job_waits_from_the_requeue(client_of_alice: APIClient, alice: User) -> None:
    long_ago = timezone.now() - timedelta(days=3)
    again = JobFactory(owner=alice, status=Status.FAILED, created_at=long_ago)
    again.requeue(Actor.OWNER, total=1)
    again.claim(task_id="t", worker="w")
    job = request_report(client_of_alice, format="json")

    (row,) = json.loads(run_and_fetch(client_of_alice, job))["rows"]

    assert row["waitedSeconds"] < 60


@pytest.mark.parametrize("format", ["pdf", "csv", "json"])
def test_report_without_jobs_is_created(client_of_alice: APIClient, format: str) -> None:
    assert run_and_fetch(
        client_of_alice, request_report(client_of_alice, format=format, period="1d")
    )


def test_report_without_room_for_its_file_fails(client_of_alice: APIClient, settings: Any) -> None:
    job = request_report(client_of_alice, format="csv")
    settings.OWNER_STORAGE_BYTES = 1

    runner.run_job(job.pk, task_id="task-1", worker="worker@test")

    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "storage_full")
    assert not StoredFile.objects.filter(made_by=job).exists()


def test_period_ends_on_the_current_day() -> None:
    from datetime import date

    from jobs.kinds.report.load import load_report_days

    assert load_report_days({"period": "7d"}, date(2026, 3, 1)) == (
        date(2026, 2, 23),
        date(2026, 3, 1),
    )
    assert load_report_days({"from": "2026-01-01", "to": "2026-01-01"}, date(2026, 3, 1)) == (
        date(2026, 1, 1),
        date(2026, 1, 1),
    )


def test_list_has_only_reports(client_of_alice: APIClient, alice: User) -> None:
    JobFactory(owner=alice)
    job = request_report(client_of_alice)

    listed = client_of_alice.get(REPORTS).json()["results"]

    assert [each["id"] for each in listed] == [str(job.pk)]


def test_report_can_be_polled_and_cancelled(
    client_of_alice: APIClient, constant_etag: None
) -> None:
    job = request_report(client_of_alice)
    status = f"/reports/{job.pk}/status"

    polled = client_of_alice.get(status)
    assert (polled.status_code, polled.json()["progress_message"]) == (200, "Waiting for a worker")
    assert client_of_alice.get(status, headers={"If-None-Match": polled["ETag"]}).status_code == 304
    assert client_of_alice.get(f"/reports/{job.pk}/download").json()["code"] == "not_ready"

    assert client_of_alice.delete(f"/reports/{job.pk}").json()["status"] == "cancelled"
    assert client_of_alice.delete(f"/reports/{job.pk}").status_code == 200
    assert client_of_alice.get(f"/reports/{job.pk}/download").status_code == 410


def test_job_of_another_kind_is_404(client_of_alice: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice)

    assert client_of_alice.get(f"/reports/{job.pk}/status").status_code == 404
    assert client_of_alice.get(f"/reports/{job.pk}/download").status_code == 404
    assert client_of_alice.delete(f"/reports/{job.pk}").status_code == 404
    job.refresh_from_db()
    assert job.status == Status.QUEUED


def test_report_of_another_user_is_403(client_of_alice: APIClient, bob: User) -> None:
    job = JobFactory(owner=bob, kind="report", params={})

    assert client_of_alice.get(f"/reports/{job.pk}/status").status_code == 403


def test_bundle_can_take_the_files_of_other_jobs(client_of_alice: APIClient) -> None:
    import zipfile

    first, second = (
        request_report(client_of_alice, format="csv"),
        request_report(client_of_alice, format="json"),
    )
    ids = [str(first.pk), str(second.pk)]
    body = {"job_ids": ids, "name": "Both"}
    bundle = DownloadJob.objects.get(
        pk=client_of_alice.post("/v1/download/initiate", body, "json").json()["jobId"]
    )
    assert (bundle.held, bundle.total) == (True, None)
    contents = [run_and_fetch(client_of_alice, job) for job in (first, second)]
    sweeps.sweep_blocked_jobs()

    runner.run_job(bundle.pk, task_id="task-1", worker="worker@test")

    url = client_of_alice.get(f"/v1/download/result/{bundle.pk}").json()["downloadUrl"]
    archive = zipfile.ZipFile(io.BytesIO(requests.get(url, timeout=10).content))
    assert [archive.read(name) for name in archive.namelist()] == contents
    bundle.refresh_from_db()
    assert bundle.total == sum(map(len, contents))


def test_bundle_takes_the_artifact_and_not_the_thumbnail(alice: User) -> None:
    upload = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    artifact, thumbnail = upload.artifact, upload.files.first()
    StoredFile.objects.filter(pk=artifact.pk).update(made_by=upload)
    StoredFile.objects.filter(pk=thumbnail.pk).update(id=0)  # sorts last
    params = {"file_ids": [thumbnail.file_id], "job_ids": [str(upload.pk)]}

    sources = KINDS["bundle"].load(JobFactory(owner=alice, params=params)).sources

    assert [source.key for source in sources] == [thumbnail.key, artifact.key]


def test_empty_bundle_is_400(client_of_alice: APIClient) -> None:
    response = client_of_alice.post("/v1/download/initiate", {"name": "x"}, "json")

    assert [error["field"] for error in response.json()["errors"]] == ["file_ids"]


def test_cancelled_source_fails_the_bundle(client_of_alice: APIClient) -> None:

    first = request_report(client_of_alice)
    response = client_of_alice.post("/v1/download/initiate", {"job_ids": [str(first.pk)]}, "json")
    first.cancel(Actor.OWNER)
    sweeps.sweep_blocked_jobs()

    body = client_of_alice.get(f"/v1/download/status/{response.json()['jobId']}").json()
    assert body["errorCode"] == "dependency_failed"


HUNDRED_THOUSAND_JOBS = """
    INSERT INTO jobs_downloadjob (id, owner_id, kind, name, params, priority, request_id,
        idempotency_key, request_hash, status, attempt, failures, losses, task_id, worker, version,
        progress, done, total, unit, speed, threads, message, error_code, error, created_at,
        started_at, finished_at)
    SELECT gen_random_uuid(), %s, (ARRAY['bundle', 'remote', 'upload'])[1 + n %% 3],
        'file ' || n || '.zip', '{}', 4, '', '', '', (ARRAY['failed', 'cancelled'])[1 + n %% 2], 1,
        1, 0, '', '', 1, 0, 0, 1000, 'bytes', 0, 0, '', 'timeout', '',
        now() - n * interval '20 s', now() - n * interval '19 s', now() - n * interval '18 s'
    FROM generate_series(1, 100000) n
"""


# Run one job as a worker does, and print its peak memory.
ONE_ATTEMPT = """
import sys, django; django.setup()
from jobs.engine import runner
runner.run_job(sys.argv[1], task_id="task-1", worker="worker@test")
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.long
@pytest.mark.parametrize("format", ["pdf", "csv", "json"])
def test_report_on_100_000_jobs_takes_less_than_200_mib(
    client_of_alice: APIClient, alice: User, format: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(HUNDRED_THOUSAND_JOBS, [alice.pk])
    job = request_report(client_of_alice, format=format)

    worker = subprocess.run(
        [sys.executable, "-c", ONE_ATTEMPT, str(job.pk)],
        env=os.environ | on_this_database(),
        capture_output=True,
        text=True,
        check=True,
    )

    peak_kib = int(worker.stdout.split()[-1])
    assert peak_kib < 200 * 1024
    content = fetch(client_of_alice, job)
    if format == "pdf":
        pages = PdfReader(io.BytesIO(content)).pages
        assert len(pages) < 25
        assert f"file {PDF_ROWS}.zip" in pages[-1].extract_text()
    else:
        assert b"file 100000.zip" in content
