"""E-mails to operators about failed jobs: the first at once, then at most one an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from jobs.models import DownloadJob, Notification
from jobs.notifications import notify_operators
from jobs.states import Actor, Status
from tests.factories import JobFactory
from tests.notifications.outbox import SITE, attempt
from tests.notifications.smtp import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

State = Notification.State


@pytest.fixture(autouse=True)
def operator_emails(settings: Any) -> None:
    settings.OPERATOR_EMAILS = ["olga@example.com", "Otto <otto@example.com>"]


def fail(code: str = "timeout", seconds_ago: float = 10, **fields: Any) -> DownloadJob:
    job: DownloadJob = JobFactory(status=Status.FAILED, error_code=code, **fields)
    finished_at = timezone.now() - timedelta(seconds=seconds_ago)
    DownloadJob.objects.filter(pk=job.pk).update(finished_at=finished_at)
    return job


def an_hour_passes() -> None:
    hour = timedelta(hours=1)
    Notification.objects.update(created_at=F("created_at") - hour)
    DownloadJob.objects.update(finished_at=F("finished_at") - hour)


def letter() -> Notification:
    return Notification.objects.latest("created_at")


def test_the_first_failure_is_mailed_at_once(post: MailServer) -> None:
    job = fail("remote_unavailable", kind="remote", name="frames.tar")

    assert notify_operators() == 1

    row = attempt(letter())
    assert (row.state, row.owner, row.job) == (State.SENT, None, None)
    assert post.recipients == ["olga@example.com", "otto@example.com"]
    (mail,) = post.mails
    assert mail["Subject"] == "1 download failed: remote_unavailable (1)"
    for kind in ("plain", "html"):
        said = mail.get_body((kind,)).get_content()
        assert f"{SITE}/admin/jobs/downloadjob/{job.pk}/change/" in said
        assert "frames.tar" in said


def test_later_failures_are_collected_for_an_hour(post: MailServer) -> None:
    fail()
    assert [notify_operators(), notify_operators()] == [1, 0]

    an_hour_passes()
    assert notify_operators() == 0, "nothing new failed"
    for code in ("timeout", "remote_unavailable", "remote_unavailable"):
        fail(code)
    assert [notify_operators(), notify_operators()] == [1, 0]

    attempt(letter())
    assert post.mails[0]["Subject"] == "3 downloads failed: remote_unavailable (2), timeout (1)"


def test_an_uncommitted_failure_is_mailed_next_time_and_once() -> None:
    fail()
    young = fail("unexpected", seconds_ago=0)

    notify_operators()
    first = letter().content
    an_hour_passes()
    notify_operators()
    second = letter().content

    assert [each["code"] for each in first["codes"]] == ["timeout"]
    assert [each["code"] for each in second["codes"]] == ["unexpected"]
    assert [each["jobId"] for each in second["examples"]] == [str(young.pk)]


def test_failed_dependencies_come_last() -> None:
    for _ in range(3):
        fail("dependency_failed")
    fail("timeout")
    fail("timeout", kind="remote")

    notify_operators()

    assert letter().content["codes"] == [
        {"code": "timeout", "count": 2, "kinds": {"bundle": 1, "remote": 1}},
        {"code": "dependency_failed", "count": 3, "kinds": {"bundle": 3}},
    ]


def test_few_examples_link_to_the_admin(post: MailServer, client: Client) -> None:
    for n in range(8):
        fail(f"code_{n}", name=f"file-{n}.zip")
        fail(f"code_{n}", name=f"older-{n}.zip", seconds_ago=20)

    notify_operators()
    row = attempt(letter())

    examples = row.content["examples"]
    assert [each["fileName"] for each in examples] == [f"file-{n}.zip" for n in range(5)]
    subject = " ".join(post.mails[0]["Subject"].split())  # Python 3.13 folds it with two spaces
    assert subject.endswith("code_3 (2), …")
    links = post.mails[0].get_body(("html",)).get_content().split('href="')[1:]
    client.force_login(User.objects.create_superuser("root"))
    for link in links:
        path = urlsplit(link.partition('"')[0])
        assert client.get(f"{path.path}?{path.query}").status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: DownloadJob.objects.update(status=Status.CANCELLED),
        lambda: DownloadJob.objects.update(finished_at=timezone.now() - timedelta(hours=2)),
        lambda: DownloadJob.objects.get().requeue(Actor.OPERATOR, total=None),
    ],
    ids=["cancelled", "long ago", "run again"],
)
def test_only_recent_failures_are_mailed(spoil: Callable[[], None]) -> None:
    fail()
    spoil()

    assert notify_operators() == 0


def test_no_mail_without_operator_addresses(settings: Any) -> None:
    settings.OPERATOR_EMAILS = []
    fail()

    assert notify_operators() == 0

    assert not Notification.objects.exists()


def test_several_dispatchers_send_one_mail() -> None:
    fail()
    start, letters = threading.Barrier(4), []

    def sweep() -> None:
        start.wait()
        letters.append(notify_operators())
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(letters) == [0, 0, 0, 1]
    assert Notification.objects.count() == 1


def test_without_a_mail_server_the_row_says_so(settings: Any) -> None:
    settings.MAIL_IS_ON = False
    fail()
    notify_operators()

    assert attempt(letter()).error == "Email is not set up on this server: EMAIL_URL is not set."
