"""Jobs that are scheduled or depend on other jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.engine import expiry, sweeps
from jobs.engine.submission import resubmit_job
from jobs.errors import StaleJob
from jobs.models import DownloadJob, IncomingUpload, Preferences
from jobs.states import Actor, Status
from jobs.terms import Terms
from tests.factories import JobFactory

BUNDLE = "/v1/download/initiate"
LINK = {"url": "https://data.example.org/frames.tar"}
FILES = {"file_ids": [70000]}
pytestmark = pytest.mark.usefixtures("delete_uploads")

EVERY_KIND = [(BUNDLE, FILES), ("/downloads", LINK), ("/reports", {})]


def ask(client: APIClient, address: str = BUNDLE, **body: Any) -> DownloadJob:
    response = client.post(address, body or FILES, "json")
    assert response.status_code == 202, response.content
    return DownloadJob.objects.get(pk=response.json()["jobId"])


def refused(client: APIClient, address: str = BUNDLE, **body: Any) -> tuple[int, list[str]]:
    """Return the status and the invalid fields."""
    response = client.post(address, FILES | body if address == BUNDLE else body, "json")
    return response.status_code, [error["field"] for error in response.json()["errors"]]


def end(job: DownloadJob, status: Status) -> None:
    other = JobFactory(owner=job.owner, status=status)
    values = {
        name: getattr(other, name)
        for name in ("status", "artifact", "finished_at", "expires_at", "lease_until")
    }
    DownloadJob.objects.filter(pk=job.pk).update(**values)


@pytest.mark.parametrize(("address", "body"), EVERY_KIND)
def test_every_kind_accepts_a_start_and_dependencies(
    client_of_alice: APIClient, alice: User, address: str, body: dict[str, Any]
) -> None:
    alice.email = "alice@example.org"
    alice.save()
    first = ask(client_of_alice)
    tomorrow = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    said = {"email": True, "webhook": "https://hooks.example.org/x", "priority": 7}

    job = ask(
        client_of_alice,
        address,
        **body,
        **said,
        after=[str(first.pk)],
        runAt=tomorrow.isoformat(),
    )

    assert (job.email, job.webhook, job.priority) == (True, said["webhook"], 7)
    assert (job.run_at, job.held) == (tomorrow, True)
    assert list(job.after.all()) == [first]


def test_before_its_start_no_worker_gets_it(client_of_alice: APIClient, broker: Any) -> None:
    at = timezone.now() + timedelta(hours=1)
    job = ask(client_of_alice, **FILES, runAt=at.isoformat())

    assert not DownloadJob.objects.due().exists()
    with pytest.raises(StaleJob):
        job.claim(task_id="t", worker="w")
    response_body = client_of_alice.get(f"/v1/download/status/{job.pk}").json()
    assert response_body["status"] == "queued"
    assert response_body["runAt"] == at.isoformat().replace("+00:00", "Z")
    assert "retryAt" not in response_body

    DownloadJob.objects.update(available_at=timezone.now())
    assert list(DownloadJob.objects.due()) == [job]


def test_start_does_not_wait_for_a_scheduled_job(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.kinds.bundle.api._wait", lambda job: pytest.fail("it waited"))
    at = (timezone.now() + timedelta(hours=1)).isoformat()

    ask(client_of_alice, "/v1/download/start", **FILES, runAt=at)


def test_a_start_in_the_past_is_now(client_of_alice: APIClient) -> None:
    job = ask(client_of_alice, **FILES, runAt="2020-01-01T00:00:00Z")

    assert job.run_at is None
    assert job.is_due


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-23T06:00:00",  # no time zone
        "2026-11-23",
        "tomorrow",
        "2026-13-01T00:00:00Z",
        "2026-12-31T23:59:60Z",  # a leap second, which neither Python nor Postgres accepts
        *["2026-11-23T24:00:00Z", "0000-01-01T00:00:00Z", "2026-02-29T00:00:00Z"],
        *[
            f"2026-11-23T06:00:00{zone}"
            for zone in ("+05:60", "-24:00", "+5:00", "+0500", "+99:99")
        ],
        *["2026-11-23T06:00Z", "2026-W48-1T06:00:00Z", "2026-11-23T06:00:00.Z"],
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2999-01-01T00:00:00Z",
        1795000000,
        None,
        True,
    ],
)
def test_an_invalid_time_is_refused(client_of_alice: APIClient, moment: Any) -> None:
    assert refused(client_of_alice, runAt=moment) == (400, ["runAt"])


def test_it_starts_when_its_dependencies_are_completed(
    client_of_alice: APIClient,
) -> None:
    first, second = ask(client_of_alice), ask(client_of_alice)
    job = ask(client_of_alice, **FILES, after=[str(first.pk), str(second.pk)])

    end(first, Status.COMPLETED)
    assert sweeps.sweep_blocked_jobs() == 0
    with pytest.raises(StaleJob):
        job.claim(task_id="t", worker="w")
    response_body = client_of_alice.get(f"/v1/download/status/{job.pk}").json()
    assert set(response_body["after"]) == {str(first.pk), str(second.pk)}
    assert response_body["estimatedSecondsRemaining"] is None

    end(second, Status.COMPLETED)
    assert sweeps.sweep_blocked_jobs() == 1
    job.refresh_from_db()
    job.claim(task_id="t", worker="w")
    assert [line.event for line in job.events.all()] == ["submit", "release", "claim"]


def test_a_blocked_job_does_not_say_it_waits_for_a_worker(client_of_alice: APIClient) -> None:
    def message_of(job: DownloadJob) -> str:
        message: str = client_of_alice.get(f"/v1/download/status/{job.pk}").json()["message"]
        return message

    first = ask(client_of_alice)
    later = timezone.now() + timedelta(hours=1)

    assert message_of(first) == "Waiting for a worker"
    assert (
        message_of(ask(client_of_alice, **FILES, runAt=later.isoformat()))
        == "Waiting for its start time"
    )
    held = ask(client_of_alice, **FILES, after=[str(first.pk)])
    assert message_of(held) == "Waiting for other downloads"


def test_a_start_time_and_dependencies_both_count(client_of_alice: APIClient) -> None:
    first = ask(client_of_alice)
    at = timezone.now() + timedelta(hours=1)
    job = ask(client_of_alice, **FILES, after=[str(first.pk)], runAt=at.isoformat())

    end(first, Status.COMPLETED)
    sweeps.sweep_blocked_jobs()

    job.refresh_from_db()
    assert (job.held, job.available_at) == (False, at)


def test_completed_dependencies_do_not_block(client_of_alice: APIClient) -> None:
    first = ask(client_of_alice)
    end(first, Status.COMPLETED)

    assert ask(client_of_alice, **FILES, after=[str(first.pk)]).is_due


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize("when", ["before", "after"])
def test_it_fails_with_the_first_failed_dependency(
    client_of_alice: APIClient, status: Status, when: str
) -> None:
    first, second = ask(client_of_alice), ask(client_of_alice)
    if when == "before":
        end(first, status)
    job = ask(client_of_alice, **FILES, after=[str(first.pk), str(second.pk)])
    end(first, status)

    sweeps.sweep_blocked_jobs()

    response_body = client_of_alice.get(f"/v1/download/status/{job.pk}").json()
    assert (response_body["status"], response_body["errorCode"]) == ("failed", "dependency_failed")
    assert first.name in response_body["error"]
    assert response_body["attempts"] == 0


def test_failures_pass_on_to_dependents(client_of_alice: APIClient) -> None:
    first = ask(client_of_alice)
    second = ask(client_of_alice, **FILES, after=[str(first.pk)])
    third = ask(client_of_alice, **FILES, after=[str(second.pk)])
    first.cancel(Actor.OWNER)

    sweeps.sweep_blocked_jobs()
    sweeps.sweep_blocked_jobs()

    assert {job.status for job in (second, third) if not job.refresh_from_db()} == {"failed"}


def test_dependents_are_locked_in_batches(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "BATCH", 2)
    lost = JobFactory(owner=alice, status=Status.FAILED)
    for _ in range(3):
        JobFactory(owner=alice, held=True).after.set([lost])

    assert [sweeps.sweep_blocked_jobs() for _ in range(3)] == [2, 1, 0]


def test_a_retried_job_is_blocked_again(client_of_alice: APIClient) -> None:
    first = ask(client_of_alice)
    job = ask(client_of_alice, **FILES, after=[str(first.pk)])
    first.cancel(Actor.OWNER)
    sweeps.sweep_blocked_jobs()
    job.refresh_from_db()
    first.refresh_from_db()

    resubmit_job(first, Actor.OWNER)
    resubmit_job(job, Actor.OWNER)

    assert job.held
    end(first, Status.COMPLETED)
    sweeps.sweep_blocked_jobs()
    job.refresh_from_db()
    assert job.is_due
    assert list(DownloadJob.objects.due()) == [job]


def test_a_retried_job_is_measured_when_it_starts(
    client_of_alice: APIClient,
) -> None:
    first = ask(client_of_alice)
    job = ask(client_of_alice, job_ids=[str(first.pk)])
    first.cancel(Actor.OWNER)
    sweeps.sweep_blocked_jobs()
    for each in (first, job):
        each.refresh_from_db()
        resubmit_job(each, Actor.OWNER)

    assert (job.held, job.total) == (True, None)


def test_the_total_includes_the_results_of_dependencies(client_of_alice: APIClient) -> None:
    first = ask(client_of_alice)
    form = {"file": SimpleUploadedFile("notes.txt", b"hello"), "after": f"{first.pk}"}

    response_body = client_of_alice.post("/upload", form, "multipart").json()

    assert (response_body["after"], response_body["total"]) == ([str(first.pk)], 5)


def test_a_dependency_does_not_expire(client_of_alice: APIClient) -> None:
    first, second = ask(client_of_alice), ask(client_of_alice)
    job = ask(client_of_alice, job_ids=[str(first.pk), str(second.pk)])
    end(first, Status.COMPLETED)
    DownloadJob.objects.filter(pk=first.pk).update(expires_at=timezone.now() - timedelta(days=1))

    assert expiry.expire_artifacts() == 0
    job.cancel(Actor.OWNER)
    assert expiry.expire_artifacts() == 1


def test_foreign_jobs_are_no_dependencies(client_of_alice: APIClient, bob: User) -> None:
    his = JobFactory(owner=bob)

    for unknown in (his.pk, uuid4()):
        assert refused(client_of_alice, after=[str(unknown)]) == (400, ["after.0"])
        assert refused(client_of_alice, job_ids=[str(unknown)]) == (400, ["job_ids.0"])


def test_blocked_jobs_do_not_count_in_the_queue(client_of_alice: APIClient, settings: Any) -> None:
    settings.MAX_QUEUED_JOBS = 1
    in_an_hour = (timezone.now() + timedelta(hours=1)).isoformat()
    for _ in range(3):
        ask(client_of_alice, **FILES, runAt=in_an_hour)

    ask(client_of_alice)

    assert client_of_alice.post(BUNDLE, FILES, "json").status_code == 503


def test_a_replay_returns_the_job_after_its_start(client_of_alice: APIClient) -> None:
    at = timezone.now() + timedelta(minutes=1)
    body, key = FILES | {"runAt": at.isoformat()}, {"Idempotency-Key": "monday"}
    first = client_of_alice.post(BUNDLE, body, "json", headers=key)
    again = client_of_alice.post(BUNDLE, body, "json", headers=key)
    other = client_of_alice.post(BUNDLE, FILES, "json", headers=key)

    assert first.json()["jobId"] == again.json()["jobId"]
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("address", "body"),
    [*EVERY_KIND, ("/upload/chunked", {"fileName": "n.txt", "totalSize": 5}), ("/upload", None)],
)
def test_a_replay_returns_the_job_after_settings_changed(
    client_of_alice: APIClient, alice: User, address: str, body: dict[str, Any] | None
) -> None:
    def again() -> Any:
        form = {"file": SimpleUploadedFile("n.txt", b"hello")}
        sent, kind = (body, "json") if body is not None else (form, "multipart")
        answer = client_of_alice.post(address, sent, kind, headers={"Idempotency-Key": "monday"})
        return answer.json().get("jobId")

    first = again()
    Preferences.objects.create(owner=alice, webhook="https://hooks.example.org/x", most_urgent=1)

    assert again() == first


def test_the_priority_is_limited_by_the_owners(
    client_of_alice: APIClient, alice: User, settings: Any
) -> None:
    settings.MAX_PRIORITY = 5
    assert ask(client_of_alice, **FILES, priority=5).priority == 5
    assert refused(client_of_alice, priority=6) == (400, ["priority"])

    Preferences.objects.create(owner=alice, most_urgent=2)
    assert refused(client_of_alice, priority=5) == (400, ["priority"])
    assert ask(client_of_alice).priority == 2

    Preferences.objects.update(most_urgent=9)
    assert ask(client_of_alice, **FILES, priority=9).priority == 9


def test_staff_can_use_any_priority(client_of_operator: APIClient, settings: Any) -> None:
    settings.MAX_PRIORITY = 5
    assert ask(client_of_operator, **FILES, priority=9).priority == 9


def test_email_without_an_address_is_refused(client_of_alice: APIClient) -> None:
    assert refused(client_of_alice, email=True) == (400, ["email"])
    assert refused(client_of_alice, email="alice@example.org") == (400, ["email"])


def test_without_a_mail_server_email_is_refused(
    client_of_alice: APIClient, alice: User, settings: Any
) -> None:
    alice.email = "alice@example.org"
    alice.save()
    Preferences.objects.create(owner=alice, email=True)
    settings.MAIL_IS_ON = False

    assert refused(client_of_alice, email=True) == (400, ["email"])
    assert ask(client_of_alice).email is False


def test_a_webhook_must_be_a_public_address(client_of_alice: APIClient) -> None:
    private = client_of_alice.post(BUNDLE, FILES | {"webhook": "http://10.0.0.1/"}, "json")

    assert (private.status_code, private.json()["code"]) == (422, "blocked_address")
    assert refused(client_of_alice, webhook="ftp://example.org/") == (400, ["webhook"])


def test_omitted_fields_use_the_owners_preferences(client_of_alice: APIClient, alice: User) -> None:
    alice.email = "alice@example.org"
    alice.save()
    hook = "https://hooks.example.org/x"
    Preferences.objects.create(owner=alice, email=True, webhook=hook)

    usual = ask(client_of_alice)
    quiet = ask(client_of_alice, **FILES, email=False, webhook=None)

    assert (usual.email, usual.webhook) == (True, hook)
    assert (quiet.email, quiet.webhook) == (False, "")


def test_an_upload_form_can_have_terms(client_of_alice: APIClient) -> None:
    first = ask(client_of_alice)
    form = {
        "file": SimpleUploadedFile("notes.txt", b"hello"),
        "after": f"{first.pk}",
        "priority": "3",
        "email": "false",
        "webhook": "https://hooks.example.org/x",
    }

    response = client_of_alice.post("/upload", form, "multipart")

    job = DownloadJob.objects.get(pk=response.json()["jobId"])
    assert (job.priority, job.held, job.webhook) == (3, True, form["webhook"])
    wrong = form | {"file": SimpleUploadedFile("n.txt", b"hello"), "priority": "high"}
    response = client_of_alice.post("/upload", wrong, "multipart")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "priority")
    assert DownloadJob.objects.count() == 2


def test_terms_of_a_chunked_upload_are_those_of_its_job(client_of_alice: APIClient) -> None:
    at = (timezone.now() + timedelta(hours=1)).replace(microsecond=0)
    begin = {"fileName": "notes.txt", "totalSize": 5, "priority": 6, "runAt": at.isoformat()}
    upload = client_of_alice.post("/upload/chunked", begin, "json").json()
    chunk = {
        "jobId": upload["jobId"],
        "chunkIndex": "0",
        "totalChunks": "1",
        "chunk": SimpleUploadedFile("c", b"hello"),
    }

    response = client_of_alice.post("/upload/chunked", chunk, "multipart")

    assert response.status_code == 202, response.content
    job = DownloadJob.objects.get()
    assert (job.priority, job.run_at) == (6, at)


def test_processes_of_the_previous_version_can_record_uploads(alice: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_upload (id, owner_id, name, size_bytes, chunk_bytes, upload_id,"
            " received, sha256, priority, idempotency_key, request_hash)"
            " VALUES (%s, %s, 'n.txt', 5, 5, '', '{}', '', 4, '', '')",
            [uuid4(), alice.pk],
        )

    assert Terms.of_json(IncomingUpload.objects.get().terms) == Terms()


def test_terms_survive_json() -> None:
    terms = Terms(7, timezone.now(), (uuid4(), uuid4()), True, "https://hooks.example.org/")

    assert Terms.of_json(terms.as_json()) == terms
    assert Terms.of_json({}) == Terms()
