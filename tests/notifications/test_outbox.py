"""Rows of the outbox: written with the move, taken by one, settled by whom they belong to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs.engine import expiry
from jobs.models import DownloadJob, Notification
from jobs.notifications.senders import LEASE
from jobs.states import Actor, Status
from tests.notifications.outbox import cancelled, complete, completed, failed, only, running

Channel, State = Notification.Channel, Notification.State
HOOK = "https://hooks.example.com/x"


def take(channel: str = Channel.EMAIL, spared: tuple[int | None, ...] = ()) -> Any:
    return Notification.objects.take(channel, lease=LEASE, spared=spared)


def test_an_end_has_one_row_a_channel(alice: User) -> None:
    job = completed(alice, email=True, webhook=HOOK)

    rows = Notification.objects.filter(job=job).order_by("channel")

    assert [(row.channel, row.to) for row in rows] == [
        (Channel.EMAIL, "alice@example.com"),
        (Channel.WEBHOOK, HOOK),
    ]


def test_who_asked_for_nothing_gets_nothing(alice: User) -> None:
    completed(alice)

    assert not Notification.objects.exists()


def test_a_job_that_is_run_again_tells_of_its_second_end_too(alice: User) -> None:
    job = failed(alice, email=True)
    job.requeue(Actor.OWNER, total=None)
    job.claim(task_id="task-2", worker="worker@test")

    complete(job)

    rows = Notification.objects.filter(job=job)
    assert {row.content["status"] for row in rows} == {Status.FAILED, Status.COMPLETED}
    assert len({row.pk for row in rows}) == 2


def test_an_end_that_is_not_committed_is_not_told(alice: User) -> None:
    job = running(alice, email=True)

    with transaction.atomic():
        complete(job)
        written = Notification.objects.count()
        transaction.set_rollback(True)

    assert (written, Notification.objects.count()) == (1, 0)
    job.refresh_from_db()
    assert job.status == Status.PROCESSING


def test_nobody_is_mailed_about_what_they_did_themselves(alice: User) -> None:
    running(alice, email=True).cancel(Actor.OWNER)
    assert not Notification.objects.exists()

    assert only(cancelled(alice, email=True)).content["status"] == Status.CANCELLED


def test_who_takes_a_row_has_it_until_the_lease_is_over(alice: User) -> None:
    row = only(completed(alice, email=True))

    taken = take()

    assert (taken.pk, taken.tries) == (row.pk, 1)
    assert take() is None
    Notification.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    again = take()
    assert (again.pk, again.tries) == (row.pk, 2)


def test_who_comes_late_changes_nothing(alice: User) -> None:
    completed(alice, email=True)
    late = take()
    Notification.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    current = take()

    late.mark_failed("Late.", retry_in_seconds=None)
    late.mark_sent()

    row = Notification.objects.get()
    assert (row.state, row.error, row.due_at) == (State.WAITING, "", current.due_at)
    current.mark_sent()
    row.refresh_from_db()
    assert row.state == State.SENT


def test_what_is_sent_again_is_not_settled_by_an_earlier_try(alice: User) -> None:
    completed(alice, email=True)
    late = take()
    Notification.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    take().mark_sent()
    Notification.objects.all().send_again()
    again = take()
    assert again.tries == late.tries

    late.mark_failed("Late.", retry_in_seconds=None)

    assert Notification.objects.get().state == State.WAITING


def test_sending_again_leaves_alone_what_is_on_its_way(alice: User) -> None:
    row = only(completed(alice, email=True))
    assert Notification.objects.all().send_again() == 0

    take().mark_sent()

    assert Notification.objects.all().send_again() == 1
    row.refresh_from_db()
    assert (row.state, row.tries, row.sent_at) == (State.WAITING, 0, None)


def test_the_longest_due_comes_first_and_what_is_spared_waits(alice: User, bob: User) -> None:
    rows = [only(completed(owner, email=True)) for owner in (alice, alice, bob)]
    for age, row in enumerate(rows):
        due_at = timezone.now() - timedelta(seconds=10 - age)
        Notification.objects.filter(pk=row.pk).update(due_at=due_at)

    assert take(spared=(alice.pk, None)) == rows[2]
    assert take() == rows[0]
    assert take(channel=Channel.WEBHOOK) is None


def test_a_failure_to_tell_does_not_touch_the_job(alice: User) -> None:
    job = completed(alice, email=True)
    before = DownloadJob.objects.values().get(pk=job.pk)

    take().mark_failed("Nobody there.", retry_in_seconds=None)

    assert DownloadJob.objects.values().get(pk=job.pk) == before
    assert only(job).state == State.FAILED


def test_old_rows_are_forgotten_unless_they_wait(alice: User) -> None:
    long_ago = timezone.now() - timedelta(days=31)
    rows = [only(completed(alice, email=True)) for _ in range(4)]
    for row, state in zip(rows, [State.SENT, State.FAILED, State.WAITING], strict=False):
        sent_at = long_ago if state == State.SENT else None
        old = Notification.objects.filter(pk=row.pk)
        old.update(state=state, sent_at=sent_at, created_at=long_ago)
    Notification.objects.filter(pk=rows[3].pk).update(state=State.FAILED)

    assert expiry.expire_notifications() == 2

    assert set(Notification.objects.all()) == {rows[2], rows[3]}
    assert DownloadJob.objects.count() == 4


def test_a_webhooks_path_is_not_part_of_its_name(alice: User) -> None:
    row = only(completed(alice, webhook="https://hooks.example.com/services/T0/secret?a=b"))

    assert str(row) == "Webhook to hooks.example.com"
    assert Notification(channel=Channel.WEBHOOK, to="http://[::1").place == "-"
