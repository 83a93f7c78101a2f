"""Rows of the outbox: written with the transition, claimed by one sender, settled only by it."""

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


def test_an_outcome_has_one_row_per_channel(alice: User) -> None:
    job = completed(alice, email=True, webhook=HOOK)

    rows = Notification.objects.filter(job=job).order_by("channel")

    assert [(row.channel, row.to) for row in rows] == [
        (Channel.EMAIL, "alice@example.com"),
        (Channel.WEBHOOK, HOOK),
    ]


def test_no_rows_without_notifications(alice: User) -> None:
    completed(alice)

    assert not Notification.objects.exists()


def test_a_retried_job_has_rows_for_its_second_outcome(alice: User) -> None:
    job = failed(alice, email=True)
    job.requeue(Actor.OWNER, total=None)
    job.claim(task_id="task-2", worker="worker@test")

    complete(job)

    rows = Notification.objects.filter(job=job)
    assert {row.content["status"] for row in rows} == {Status.FAILED, Status.COMPLETED}
    assert len({row.pk for row in rows}) == 2


def test_an_uncommitted_outcome_has_no_rows(alice: User) -> None:
    job = running(alice, email=True)

    with transaction.atomic():
        complete(job)
        written = Notification.objects.count()
        transaction.set_rollback(True)

    assert (written, Notification.objects.count()) == (1, 0)
    job.refresh_from_db()
    assert job.status == Status.PROCESSING


def test_no_mail_about_the_owners_own_actions(alice: User) -> None:
    running(alice, email=True).cancel(Actor.OWNER)
    assert not Notification.objects.exists()

    assert only(cancelled(alice, email=True)).content["status"] == Status.CANCELLED


def test_a_row_is_claimed_until_its_lease_expires(alice: User) -> None:
    row = only(completed(alice, email=True))

    taken = take()

    assert (taken.pk, taken.tries) == (row.pk, 1)
    assert take() is None
    Notification.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    again = take()
    assert (again.pk, again.tries) == (row.pk, 2)


def test_a_late_sender_changes_nothing(alice: User) -> None:
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


def test_an_earlier_attempt_does_not_settle_a_resent_row(alice: User) -> None:
    completed(alice, email=True)
    late = take()
    Notification.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    take().mark_sent()
    Notification.objects.all().send_again()
    again = take()
    assert again.tries == late.tries

    late.mark_failed("Late.", retry_in_seconds=None)

    assert Notification.objects.get().state == State.WAITING


def test_send_again_skips_rows_in_progress(alice: User) -> None:
    row = only(completed(alice, email=True))
    assert Notification.objects.all().send_again() == 0

    take().mark_sent()

    assert Notification.objects.all().send_again() == 1
    row.refresh_from_db()
    assert (row.state, row.tries, row.sent_at) == (State.WAITING, 0, None)


def test_the_longest_due_row_comes_first_except_spared_ones(alice: User, bob: User) -> None:
    rows = [only(completed(owner, email=True)) for owner in (alice, alice, bob)]
    for age, row in enumerate(rows):
        due_at = timezone.now() - timedelta(seconds=10 - age)
        Notification.objects.filter(pk=row.pk).update(due_at=due_at)

    assert take(spared=(alice.pk, None)) == rows[2]
    assert take() == rows[0]
    assert take(channel=Channel.WEBHOOK) is None


def test_a_failed_notification_does_not_change_the_job(alice: User) -> None:
    job = completed(alice, email=True)
    before = DownloadJob.objects.values().get(pk=job.pk)

    take().mark_failed("Nobody there.", retry_in_seconds=None)

    assert DownloadJob.objects.values().get(pk=job.pk) == before
    assert only(job).state == State.FAILED


def test_old_settled_rows_are_deleted(alice: User) -> None:
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


def test_a_webhooks_label_has_no_path(alice: User) -> None:
    row = only(completed(alice, webhook="https://hooks.example.com/services/T0/secret?a=b"))

    assert str(row) == "Webhook to hooks.example.com"
    assert Notification(channel=Channel.WEBHOOK, to="http://[::1").place == "-"
