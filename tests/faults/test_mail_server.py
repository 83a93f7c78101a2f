"""The mail server is away, refuses, hangs or dies; and the dispatcher dies beside it."""

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
    """The service, which mails by way of that port, and soon tries again."""
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
    """A job whose owner is to be mailed, and its end."""
    User.objects.update(email="alice@example.com")
    job_id = rig.initiate(70000)
    DownloadJob.objects.update(email=True)
    rig.worker()
    rig.wait_for(job_id, "completed")


def told(rig: Rig) -> Notification:
    """The only row, once it is settled."""
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
    """The mail server returned 451, answers 550, hangs, or dies with the whole mail in hand."""
    vars(post).update(answers)
    start(rig, post.port)
    complete(rig)

    row = told(rig)

    assert row.state == state, row.error
    rig.figure("mails of the job", len(post.mails), bound=sends, unit="mails")
    assert {mail["Message-ID"] for mail in post.mails} <= {f"<{row.pk}@[127.0.0.1]>"}
    rig.judge()


def test_mail_server_down(rig: Rig) -> None:
    """There is no mail server when the job ends, and one a few seconds later."""
    post = MailServer()
    start(rig, post.port)
    complete(rig)
    until(lambda: Notification.objects.filter(tries__gte=1).exclude(error="").exists())

    with post:
        took = rig.timed(lambda: post.mails)

    assert told(rig).state == State.SENT
    rig.figure("mailed after its return", took, bound=5)
    rig.judge()


def test_dispatcher_killed_while_it_mails(rig: Rig, post: MailServer) -> None:
    """The dispatcher is killed with a mail in hand; another sends it when the lease is over."""
    post.verdicts = [MailServer.HOLD]
    start(rig, post.port)
    complete(rig)
    until(lambda: post.mails)
    rig.kill(rig.processes[0])
    assert Notification.objects.get().state == State.WAITING

    Notification.objects.update(due_at=timezone.now())  # minutes later
    dispatch(rig, post.port)

    row = told(rig)
    assert row.state == State.SENT
    assert {mail["Message-ID"] for mail in post.mails} == {f"<{row.pk}@[127.0.0.1]>"}
    rig.judge()
