"""A kind with `makes_file = False` does work, completes, and has no file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from jobs.engine import expiry, garbage
from jobs.engine.submission import submit_job
from jobs.kinds import Kind, Workspace
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, Notification
from jobs.models.notification import notification_outcome
from jobs.notifications.letters import letter_of
from jobs.notifications.webhook import webhook_body
from jobs.states import Event, Status
from jobs.terms import Terms
from jobs.testing import run, run_job
from jobs.web.wording.notices import notice_texts
from tests.asgi.both import ask_django, bearer, serving
from tests.factories import JobFactory
from tests.pages.looks import BROWSER, of, text
from tests.special_kinds import Recount

ON_SERVERS = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def registered(add_kinds: Callable[..., None], broker: Any) -> None:
    add_kinds(f"{Recount.__module__}.Recount")


@pytest.fixture
def visitor(alice: User) -> Client:
    client = Client(headers=BROWSER)
    client.force_login(alice)
    return client


@pytest.fixture
def done(alice: User) -> DownloadJob:
    """Return a completed job, made by hand."""
    finished = {"status": Status.COMPLETED, "artifact": None, "expires_at": None}
    job: DownloadJob = JobFactory(
        owner=alice, kind="recount", name="Recount", params={}, total=2, done=2,
        unit="warehouse items", message="Done", metadata={"itemsCounted": 2}, **finished,
    )  # fmt: skip
    return job


def test_in_memory_it_has_progress_and_no_content() -> None:
    result = run(Recount, owner=User(username="ana"))

    assert (result.content, result.metadata) == (b"", {"itemsCounted": 2})
    assert result.progress == ((2, 2, "warehouse items"),)


@ON_SERVERS
def test_job_completes_without_a_file_and_never_expires(alice: User) -> None:
    job = run_job(Recount, owner=alice).job

    assert (job.status, job.artifact, job.expires_at) == (Status.COMPLETED, None, None)
    assert (job.message, job.metadata) == ("Done", {"itemsCounted": 2})
    assert (job.total, job.unit, job.progress) == (2, "warehouse items", 1)
    assert not job.files.exists()
    assert [line.event for line in job.events.order_by("id")] == ["submit", "claim", "succeed"]
    assert (expiry.expire_artifacts(), garbage.collect_garbage()) == (0, 0)


@ON_SERVERS
def test_job_that_depends_on_it_is_released(alice: User) -> None:
    first, _ = submit_job(owner=alice, kind="recount", params={})
    second, _ = submit_job(owner=alice, kind="recount", params={}, terms=Terms(after=(first.pk,)))
    assert second.held

    DownloadJob.objects.filter(pk=first.pk).update(available_at=Now())
    first.claim(task_id="t", worker="w")
    first.succeed(None)

    assert list(DownloadJob.objects.to_release_or_fail()) == [second]


@ON_SERVERS
def test_output_of_such_a_kind_is_an_error(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    class Writes(Recount):
        def build(self, loaded: None, work: Workspace) -> None:
            work.output.write(b"x")

    monkeypatch.setitem(KINDS, Recount.name, Writes())

    job = run_job(Writes, owner=alice).job

    assert (job.status, job.error_code) == (Status.QUEUED, "unexpected")
    assert "makes_file = False" in job.events.get(event=Event.RETRY).detail
    with pytest.raises(RuntimeError, match="makes_file = False"):
        run(Writes, owner=alice)


# What is told about it


NO_MEMBERS = {"downloadUrl", "expiresIn", "size", "sha256", "contentType", "expiresAt", "fileId"}


@ON_SERVERS
def test_its_json_has_no_file(done: DownloadJob, alice: User) -> None:
    path, headers = f"/v1/download/status/{done.pk}", {"authorization": bearer(alice)}

    with serving() as native:
        answers = native.request(path, **headers), ask_django(path, **headers)

    native_json, django_json = (answer.json for answer in answers)
    assert native_json == django_json
    assert (django_json["status"], django_json["message"]) == ("completed", "Done")
    assert django_json["metadata"] == {"itemsCounted": 2}
    assert not NO_MEMBERS & set(django_json)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.PROCESSING, Status.FAILED])
@pytest.mark.parametrize("path", ["/v1/download/{}", "/v1/download/result/{}"])
def test_its_file_is_409(
    done: DownloadJob, client_of_alice: APIClient, path: str, status: Status
) -> None:
    job = JobFactory(owner=done.owner, kind="recount", status=status, artifact=None)

    response = client_of_alice.get(path.format(job.pk))

    assert response.status_code == 409
    assert response.json()["code"] == "makes_no_file"
    assert response.json()["detail"] == "This download makes no file."


def test_its_page_says_done_and_offers_no_download(visitor: Client, done: DownloadJob) -> None:
    page = text(visitor.get(of(done)))

    assert "Done" in page
    assert re.search(r"<p>Took [56]\ss\w*\.</p>", page), re.findall("Took[^<]*", page)
    assert "<dt>Items counted</dt><dd>2</dd>" in page
    for word in ("Download the file", "data-download", "Kept until", "Ready", "SHA-256"):
        assert word not in page
    assert "/v1/jobs/recount" in page  # the command that repeats the request


def test_its_row_has_no_button(visitor: Client, done: DownloadJob) -> None:
    row = text(visitor.get(of(done, "job-row")))
    listed = text(visitor.get("/downloads?status=completed"))

    assert "Done" in row
    assert "act-" not in row
    assert ">Recount</a>" in listed


def test_its_cancelled_job_does_not_speak_of_a_file(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, kind="recount", status=Status.CANCELLED)

    assert "You can retry it." in text(visitor.get(of(job)))
    assert "No file was kept" not in text(visitor.get(of(job)))


def test_its_mail_says_that_it_is_done(done: DownloadJob) -> None:
    notification = Notification(
        owner=done.owner, channel="email", content=notification_outcome(done)
    )
    mail = letter_of(notification)

    assert mail.subject == "Recount is done"
    assert "View details:" in mail.text
    assert "Download" not in mail.text.replace("/downloads", "").replace("Downloads", "")
    notification.created_at = done.created_at
    assert notice_texts(notification, done.created_at).about == "Recount: done"


def test_its_failure_is_not_that_of_a_file(alice: User) -> None:
    job = JobFactory(
        owner=alice, kind="recount", name="Recount", status=Status.FAILED,
        error_code="unexpected", error="Something went wrong.",
    )  # fmt: skip

    mail = letter_of(Notification(owner=alice, channel="email", content=notification_outcome(job)))

    assert mail.subject == "Recount failed"


def test_its_webhook_has_no_link_to_a_file(done: DownloadJob) -> None:
    data = json.loads(webhook_body(Notification(content=notification_outcome(done))))["data"]

    assert data["status"] == "completed"
    assert not NO_MEMBERS & set(data)


def test_operators_see_it(client_of_operator: Any, operator: User, done: DownloadJob) -> None:
    client = Client()
    client.force_login(operator)

    page = client.get(f"/admin/jobs/downloadjob/{done.pk}/change/")

    assert page.status_code == 200
    assert "warehouse items" in page.content.decode()
    assert client.get("/queue/stats").json()["queue_stats"]["completed"] == 1


def test_a_kind_may_say_how_it_failed() -> None:
    class Sync(Kind):
        makes_file = False
        failed = "stopped early"

    assert (Sync().failed_text, Recount().failed_text) == ("stopped early", "failed")
    assert Kind().failed_text == "could not be created"
