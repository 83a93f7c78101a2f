"""Wait for an item of another thread while signals arrive."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from queue import Empty

import pytest

from jobs.lib.mailbox import Mailbox


@pytest.fixture
def slow_alarm() -> Iterator[None]:
    """A signal with a slow handler; then one that ends the wait."""
    alarms = iter([lambda: time.sleep(0.2), lambda: pytest.fail("still waiting")])
    before = signal.signal(signal.SIGALRM, lambda *_: next(alarms)())
    signal.setitimer(signal.ITIMER_REAL, 0.05, 5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_does_not_prolong_the_wait(slow_alarm: None) -> None:
    with pytest.raises(Empty):
        Mailbox[int]().get(timeout_seconds=0.1)


def test_an_item_that_is_put_meanwhile_ends_the_wait() -> None:
    box = Mailbox[int]()
    threading.Timer(0.05, box.put, [1]).start()

    assert box.get(timeout_seconds=10) == 1


def test_items_are_returned_in_order_and_once() -> None:
    box = Mailbox[int]()
    for n in range(3):
        box.put(n)

    assert [box.get(timeout_seconds=0) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Empty):
        box.get(timeout_seconds=0.01)
