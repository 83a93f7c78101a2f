"""The threads that send: concurrency, slow receivers, and the death of a dispatcher."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from jobs.engine import dispatcher
from jobs.models import Notification
from jobs.notifications import Sender, mail, senders
from jobs.notifications.senders import LEASE
from tests.live import until
from tests.notifications.outbox import completed, only
from tests.notifications.receiver import Receiver
from tests.notifications.smtp import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

Channel, State = Notification.Channel, Notification.State


def webhooks() -> Sender:
    return senders()[1]


def of_mail(*, at_once: int = 4) -> Sender:
    return Sender("mail", {Channel.EMAIL: mail.send_mail_message}, at_once=at_once)


def states(owner: User) -> set[str]:
    return set(Notification.objects.filter(owner=owner).values_list("state", flat=True))


def test_several_at_once_send_each_row_once(post: MailServer, alice: User, bob: User) -> None:
    bob.email = "bob@example.com"
    bob.save()
    for owner in (alice, bob) * 10:
        completed(owner, email=True)
    several, start = [of_mail() for _ in range(3)], threading.Barrier(3)

    def drain(sender: Sender) -> None:
        start.wait()
        while not is_drained():
            sender.start_due()
            sender.join()

    run_all([partial(drain, sender) for sender in several])

    ids = [mail["Message-ID"] for mail in post.mails]
    assert (len(ids), len(set(ids))) == (20, 20)
    assert set(Notification.objects.values_list("state", "tries")) == {(State.SENT, 1)}


def test_a_hanging_receiver_delays_only_its_owner(
    receiver: Receiver, alice: User, bob: User
) -> None:
    slow = [only(completed(alice, webhook=receiver.url)) for _ in range(9)]
    receiver.statuses = [0]  # to the first one of Alice
    sender = webhooks()
    assert sender.start_due() == 1, "one of an owner at a time"
    assert receiver.came.wait(10)

    theirs = only(completed(bob, webhook=receiver.url))
    assert sender.start_due() == 1
    until(lambda: states(bob) == {State.SENT})

    assert len(receiver.calls) == 2
    assert states(alice) == {State.WAITING}
    assert theirs.owner == bob
    receiver.release()
    sender.join()
    assert Notification.objects.filter(pk=slow[0].pk, tries=1).exists()


def test_concurrency_is_limited(post: MailServer, alice: User, bob: User, operator: User) -> None:
    for n, owner in enumerate((alice, bob, operator)):
        owner.email = f"{n}@example.com"
        owner.save()
        completed(owner, email=True)
    post.verdicts = [MailServer.HOLD] * 3
    sender = of_mail(at_once=2)

    assert sender.start_due() == 2
    until(lambda: len(post.mails) == 2)
    assert sender.start_due() == 0

    post.release()
    sender.join()
    assert sender.start_due() == 1
    sender.join()
    assert len(post.mails) == 3


def test_a_hanging_mail_server_does_not_delay_webhooks(
    post: MailServer, receiver: Receiver, alice: User
) -> None:
    post.verdicts = [MailServer.HOLD]
    completed(alice, email=True, webhook=receiver.url)

    with Running():
        until(lambda: receiver.calls and post.mails)
        until(lambda: Notification.objects.filter(channel="webhook", state=State.SENT).exists())
        assert Notification.objects.get(channel="email").state == State.WAITING
        post.release()
        until(lambda: Notification.objects.get(channel="email").state == State.SENT)


def test_a_slow_mail_server_is_waited_for(post: MailServer, alice: User) -> None:
    post.verdicts = [MailServer.HOLD]
    completed(alice, email=True)
    sender = of_mail()
    sender.start_due()
    until(lambda: post.mails)
    assert states(alice) == {State.WAITING}

    post.release()
    sender.join()

    assert states(alice) == {State.SENT}
    assert len(post.mails) == 1


def test_a_dead_dispatchers_rows_are_sent_after_the_lease(post: MailServer, alice: User) -> None:
    row = only(completed(alice, email=True))
    dead = Notification.objects.take(Channel.EMAIL, lease=LEASE, spared=[])
    assert dead
    mail.send_mail_message(dead)  # as in a power cut

    sender = of_mail()
    assert sender.start_due() == 0, "it may still be under way"
    Notification.objects.update(due_at=timezone.now())
    assert sender.start_due() == 1
    sender.join()

    row.refresh_from_db()
    assert (row.state, row.tries) == (State.SENT, 2)
    assert len({mail["Message-ID"] for mail in post.mails}) == 1


def test_the_dispatcher_stops_in_time_with_a_hanging_attempt(
    receiver: Receiver, alice: User, bob: User, settings: Any, broker: Any
) -> None:
    settings.DISPATCH_EVERY_SECONDS = 0.05
    receiver.statuses = [0]
    completed(alice, webhook=receiver.url)

    with Running(dispatcher.run_dispatcher):
        assert receiver.came.wait(10)
        completed(bob, webhook=receiver.url)
        until(lambda: states(bob) == {State.SENT})
        stopping = timezone.now()

    assert (timezone.now() - stopping).total_seconds() < 10
    receiver.release()
    until(lambda: not threads_of("webhooks"))


def test_an_unreadable_outbox_is_read_again(
    post: MailServer, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DISPATCH_EVERY_SECONDS = 0.01
    completed(alice, email=True)
    sender, failures = of_mail(), [1, 1]
    start_due = sender.start_due

    def away() -> int:
        if failures:
            failures.pop()
            raise RuntimeError("no database")
        return start_due()

    monkeypatch.setattr(sender, "start_due", away)

    with Running(sender.run):
        until(lambda: states(alice) == {State.SENT})

    assert not failures


class Running:
    """Runs the functions in threads until they are told to stop; all senders by default."""

    def __init__(self, *works: Any) -> None:
        self._stop = threading.Event()
        works = works or tuple(sender.run for sender in senders())
        self._threads = [thread_of(partial(work, self._stop)) for work in works]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)


def thread_of(work: Callable[[], None]) -> threading.Thread:
    """Return a thread, not started, that closes its database connection at the end."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return threading.Thread(target=run)


def run_all(works: list[Callable[[], None]]) -> None:
    threads = [thread_of(work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def is_drained() -> bool:
    return not Notification.objects.filter(state=State.WAITING).exists()


def threads_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]
