"""What a receiver of webhooks returned is kept with the notification, bounded and safe to show."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.models import Notification
from jobs.outbound import post as post_module
from tests.notifications.outbox import attempt, completed, only
from tests.notifications.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)  # outcomes are recorded outside transactions

State = Notification.State


def deliver(receiver: Receiver, alice: User) -> Notification:
    return attempt(only(completed(alice, webhook=receiver.url)))


def test_the_response_to_a_delivery_is_kept(receiver: Receiver, alice: User) -> None:
    receiver.statuses, receiver.body = [200], b'{"ok": true}\r\nthanks'

    row = deliver(receiver, alice)

    assert (row.state, row.response_status) == (State.SENT, 200)
    assert row.response_text == '{"ok": true}\nthanks'
    assert row.response_seconds is not None
    assert 0 <= row.response_seconds < 10


def test_the_response_to_a_failed_delivery_is_kept_too(receiver: Receiver, alice: User) -> None:
    receiver.statuses, receiver.body = [500], b"no such table: orders"

    row = deliver(receiver, alice)

    assert (row.state, row.error) == (State.WAITING, "127.0.0.1 returned 500.")
    assert (row.response_status, row.response_text) == (500, "no such table: orders")


def test_a_later_try_without_a_response_forgets_the_earlier_one(
    receiver: Receiver, alice: User
) -> None:
    receiver.statuses, receiver.body = [500], b"broken"
    row = deliver(receiver, alice)
    Notification.objects.filter(pk=row.pk).update(to="http://127.0.0.1:9/hook")

    row = attempt(row)

    assert (row.response_status, row.response_text) == (None, "")
    assert "could not be reached" in row.error


def test_a_long_binary_body_is_cut_and_made_safe(receiver: Receiver, alice: User) -> None:
    receiver.statuses, receiver.body = [200], b"\x00\x1b[31m\xff" + "\u202eé".encode() * 100_000

    row = deliver(receiver, alice)

    assert row.state == State.SENT
    assert len(row.response_text) == 500
    assert row.response_text.startswith("\ufffd\ufffd[31m\ufffd\ufffdé")


def test_a_body_that_never_ends_does_not_fail_the_delivery(
    receiver: Receiver, alice: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr(post_module, "BODY_SECONDS", 0.2)
    receiver.statuses, receiver.body, receiver.stalls = [200], b"working on", True
    began = time.monotonic()

    row = deliver(receiver, alice)

    assert time.monotonic() - began < 5
    assert (row.state, row.response_text) == (State.SENT, "working on")


def test_a_body_in_chunks_is_read(receiver: Receiver, alice: User) -> None:
    receiver.first = (
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    )

    row = deliver(receiver, alice)

    assert (row.response_status, row.response_text) == (202, "abcdefg")


def test_a_body_that_breaks_off_counts_by_its_status(receiver: Receiver, alice: User) -> None:
    receiver.first = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\npartial"

    row = deliver(receiver, alice)

    assert (row.state, row.response_status) == (State.SENT, 200)
    assert row.response_text.startswith("partial")
