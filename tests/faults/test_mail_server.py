"""The mail server is down, refuses, hangs or dies; or the dispatcher dies while it sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import DownloadJob, Notification
from tests.faults.rig import Rig
from tests.live import until
from tests.notifications.smtp import MailServer

pytestmark = pytest.mark.long

State = Notification.State


@pytest.fixture
def post() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def start(rig: Rig, port: int) -> None:
    """Start a service that sends mail through that port and retries soon."""
    dispatch(rig, port)
    rig.start("web")


def dispatch(rig: Rig, port: int) -> None:
    rig.start(
        "dispatcher",
        EMAIL_URL=f"smtp://127.0.0.1:{port}",
        EMAIL_TIMEOUT="1",
        NOTIFY_DELAYS_SECONDS="[1, 1, 1, 1]",
    )


def complete(rig: Rig) -> None:
    """Complete a job whose owner is to be notified by e-mail."""
    User.objects.update(email="alice@example.com")
    job_id = rig.initiate(70000)
    DownloadJob.objects.update(email=True)
    rig.worker()
    rig.wait_for(job_id, "completed")


def settled_notification(rig: Rig) -> Notification:
    """Return the only notification once it is settled."""
    until(lambda: Notification.objects.settled().exists(), 30, rig.logs)
    return Notification.objects.get()


@pytest.mark.parametrize(
    ("answers", "state", "sends"),
    [
        ({"refusals": ["451 later", "451 later"]}, State.SENT, 1),
        ({"refusals": ["550 no such user"]}, State.FAILED, 0),
        ({"verdicts": [MailServer.HOLD]}, State.SENT, 2),
        ({"verdicts": [MailServer.CUT]}, State.SENT, 2),
    ],
    ids=["451", "550", "hangs", "dies_after_data"],
)
def test_mail_server(
    rig: Rig, post: MailServer, answers: dict[str, list[str]], state: str, sends: int
) -> None:
    """The mail server returned 451, returns 550, hangs, or dies after it received the mail."""
    vars(post).update(answers)
    start(rig, post.port)
    complete(rig)

    row = settled_notification(rig)

    assert row.state == state, row.error
    rig.figure("mails of the job", len(post.mails), bound=sends, unit="mails")
    assert {mail["Message-ID"] for mail in post.mails} <= {f"<{row.pk}@[127.0.0.1]>"}
    rig.judge()


def test_mail_server_down(rig: Rig) -> None:
    """The mail server is down when the job ends, and up a few seconds later."""
    post = MailServer()
    start(rig, post.port)
    complete(rig)
    until(lambda: Notification.objects.filter(tries__gte=1).exclude(error="").exists())

    with post:
        took = rig.timed(lambda: post.mails)

    assert settled_notification(rig).state == State.SENT
    rig.figure("mailed after its return", took, bound=5)
    rig.judge()


def test_dispatcher_killed_while_it_mails(rig: Rig, post: MailServer) -> None:
    """The dispatcher is killed while it sends a mail; another sends it when the lease is over."""
    post.verdicts = [MailServer.HOLD]
    start(rig, post.port)
    complete(rig)
    until(lambda: post.mails)
    rig.kill(rig.processes[0])
    assert Notification.objects.get().state == State.WAITING

    Notification.objects.update(due_at=timezone.now())  # minutes later
    dispatch(rig, post.port)

    row = settled_notification(rig)
    assert row.state == State.SENT
    assert {mail["Message-ID"] for mail in post.mails} == {f"<{row.pk}@[127.0.0.1]>"}
    rig.judge()
