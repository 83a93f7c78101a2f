"""`manage.py pause` and `resume`, what they print, and the doorbells of what may start again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from jobs.engine.claims import ready_jobs
from jobs.engine.expiry import expire_queue_limits
from jobs.engine.limit_states import read_limit_states
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, QueueLimit
from jobs.models.lane import make_ready
from jobs.states import Status
from tests.factories import JobFactory


def run(*command: str) -> str:
    printed = StringIO()
    call_command(*command, stdout=printed)
    return printed.getvalue()


def ready(owner: User, count: int = 1, **fields: Any) -> list[DownloadJob]:
    jobs = JobFactory.create_batch(count, owner=owner, **fields)
    make_ready(job.pk for job in jobs)
    return jobs


def running(owner: User, count: int = 1, **fields: Any) -> list[DownloadJob]:
    return JobFactory.create_batch(count, owner=owner, status=Status.PROCESSING, **fields)


def starting() -> set[Any]:
    return set(ready_jobs(settings.QUEUE, 100))


@pytest.fixture
def sent() -> Iterator[Mock]:
    """Return the mock that doorbells are sent with."""
    with patch("jobs.engine.pauses.send_doorbells") as send:
        yield send


PARTS = [
    ((), "Whole service"),
    (("--kind", "bundle"), "Kind bundle"),
    (("--owner", "alice"), "Owner alice"),
    (("--key", "example.org"), "Key example.org"),
]


@pytest.mark.parametrize(("part", "name"), PARTS)
def test_a_part_is_paused_and_resumed(
    alice: User, bob: User, sent: Mock, part: tuple[str, ...], name: str
) -> None:
    (held,) = ready(alice, kind="bundle", concurrency_key="example.org")
    (other,) = ready(bob, kind="remote", concurrency_key="example.net")

    assert run("pause", *part, "--reason", "Maintenance") == f"Paused: {name}.\n"
    assert starting() == ({other.pk} if part else set())
    assert QueueLimit.objects.get().reason == "Maintenance"

    assert run("resume", *part) == f"Resumed: {name}.\n"
    assert starting() == {held.pk, other.pk}
    assert QueueLimit.objects.get().reason == ""


def test_pausing_twice_keeps_the_reason_and_limit(alice: User) -> None:
    QueueLimit.objects.create(scope="owner", owner=alice, max_running=2)

    run("pause", "--owner", "alice", "--reason", "A flood")
    run("pause", "--owner", "alice")
    paused = QueueLimit.objects.get()
    run("resume", "--owner", "alice")

    assert (paused.is_paused, paused.reason, paused.max_running) == (True, "A flood", 2)
    assert QueueLimit.objects.get().max_running == 2


def test_running_jobs_are_pointed_out(alice: User) -> None:
    running(alice, 2)

    assert "Still running: 2." in run("pause", "--kind", "bundle")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("pause", "--kind", "bundel"), "There is no kind 'bundel'. Kinds: bundle, "),
        (("pause", "--owner", "alicia"), "There is no user 'alicia'."),
        (("pause", "--key", ""), "A concurrency key has 1 to 255 characters."),
        (("pause", "--reason", 201 * "x"), "--reason is longer than 200 characters."),
        (("pause", "--wait", "-1"), "--wait needs a number of seconds."),
        (("pause", "--wait", "nan"), "--wait needs a number of seconds."),
        (("pause", "--kind", "bundle", "--owner", "alice"), "not allowed with argument"),
        (("resume", "--kind", "bundel"), "There is no kind 'bundel'."),
        (("resume",), "Not paused: Whole service. Paused: Kind report."),
        (("resume", "--owner", "alice"), "Not paused: Owner alice. Paused: Kind report."),
    ],
)
def test_mistakes_change_nothing(alice: User, command: tuple[str, ...], text: str) -> None:
    QueueLimit.objects.create(scope="kind", name="report", is_paused=True)

    with pytest.raises(CommandError, match=text.replace(".", r"\.")):
        run(*command)

    assert [limit.name for limit in QueueLimit.objects.paused()] == ["report"]


def test_all_pauses_end_at_once_and_limits_stay(alice: User, sent: Mock) -> None:
    run("pause")
    run("pause", "--kind", "report")
    QueueLimit.objects.create(scope="owner", max_running=3)

    assert run("resume") == "Resumed: Whole service.\nStill paused: Kind report.\n"
    assert run("resume", "--all") == "Resumed: Kind report.\n"
    assert run("resume", "--all") == "Nothing is paused.\n"
    assert QueueLimit.objects.get(scope="owner").max_running == 3


def test_the_list_has_counts_and_reasons(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KINDS["report"], "max_running", 1)
    running(alice, 2)
    running(bob, 1, kind="report")
    ready(alice, 3)
    ready(bob, 1, kind="report")
    run("pause", "--kind", "bundle", "--reason", "Store is moved")
    QueueLimit.objects.create(scope="owner", max_running=2)
    QueueLimit.objects.create(scope="key", name="example.org")  # a pause that has ended

    lines = [" ".join(line.split()) for line in run("pause", "--list").splitlines()]

    assert lines == [
        "LIMIT STATE RUNNING WAITING REASON",
        "Kind bundle paused 2 3 Store is moved",
        "Each owner at its limit 2 of 2 4 -",
        "Kind report at its limit 1 of 1 1 max_running of the kind report",
    ]
    QueueLimit.objects.all().delete()
    monkeypatch.setattr(KINDS["report"], "max_running", None)
    assert run("pause", "--list") == "Nothing is paused or limited.\n"


def test_each_limit_counts_what_it_is_about(alice: User, bob: User) -> None:
    running(alice, 3, concurrency_key="a.example")
    running(bob, 2, kind="report", concurrency_key="b.example")
    ready(alice, 5, concurrency_key="a.example")
    ready(bob, 7, kind="report")
    for scope, fields in [
        ("service", {"max_running": 9}),
        ("kind", {"name": "bundle", "max_running": 3}),
        ("owner", {"owner": alice, "max_running": 4}),
        ("owner", {"max_running": 2}),
        ("key", {"name": "a.example", "max_running": 3}),
        ("key", {"max_running": 2}),
    ]:
        QueueLimit.objects.create(scope=scope, **fields)

    states = {str(each.limit): each for each in read_limit_states()}

    counts = {name: (each.running, each.waiting, each.reached) for name, each in states.items()}
    assert counts == {
        "Whole service": (5, 12, 0),
        "Kind bundle": (3, 5, 1),
        "Owner alice": (3, 5, 0),
        "Each owner": (2, 7, 1),  # without alice
        "Key a.example": (3, 5, 1),
        "Each key": (2, 0, 0),  # no job waits for it
    }


@pytest.mark.django_db(transaction=True)
def test_draining_waits_until_nothing_runs(alice: User) -> None:
    (job,) = running(alice)
    printed = StringIO()

    def drain() -> None:
        call_command("pause", "--kind", "bundle", "--wait", stdout=printed)
        connection.close()

    thread = threading.Thread(target=drain)
    thread.start()
    for _ in range(100):
        if "running: 1" in printed.getvalue():
            break
        threading.Event().wait(0.05)
    assert thread.is_alive()
    DownloadJob.objects.filter(pk=job.pk).update(status=Status.QUEUED, lease_until=None)
    thread.join(10)

    assert not thread.is_alive()
    assert printed.getvalue().splitlines()[-1] == "Nothing is running."


def test_draining_gives_up_and_stays_paused(alice: User) -> None:
    running(alice, 2)

    with pytest.raises(CommandError, match=r"Still running after 0 s: 2\. The pause stays\."):
        run("pause", "--wait", "0")

    assert QueueLimit.objects.get().is_paused


@pytest.mark.django_db(transaction=True)
def test_jobs_that_may_start_again_get_doorbells_at_once(alice: User, sent: Mock) -> None:
    run("pause", "--kind", "bundle")
    jobs = ready(alice, 3)
    sent.assert_not_called()

    run("resume", "--kind", "bundle")

    (bells,) = sent.call_args.args
    assert {bell.job_id for bell in bells} == {job.pk for job in jobs}


@pytest.mark.django_db(transaction=True)
def test_a_pause_ends_also_while_the_broker_is_down(alice: User, sent: Mock) -> None:
    sent.side_effect = ConnectionError
    ready(alice)
    run("pause")

    assert run("resume") == "Resumed: Whole service.\n"

    assert not QueueLimit.objects.paused()


def test_rows_of_ended_pauses_are_deleted_after_an_hour(alice: User, sent: Mock) -> None:
    QueueLimit.objects.create(scope="service", max_running=9)
    run("pause", "--kind", "report")
    for kind in ("bundle", "remote"):
        run("pause", "--kind", kind)
        run("resume", "--kind", kind)
    assert expire_queue_limits() == 0
    QueueLimit.objects.exclude(name="remote").update(changed_at=Now() - timedelta(hours=2))

    assert expire_queue_limits() == 1
    assert set(QueueLimit.objects.values_list("name", flat=True)) == {"", "report", "remote"}
