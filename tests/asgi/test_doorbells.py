"""Doorbells that the event loop rings reach the broker, or are said to be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest

from downloads_project.celery import app
from jobs import queue
from jobs.asgi import doorbells
from jobs.asgi.doorbells import Doorbells
from jobs.queue import Doorbell
from tests.asgi.both import a_loop
from tests.test_queue import take_all


@pytest.fixture
def alone() -> Iterator[str]:
    """A queue that nobody else uses."""
    name = f"test-{uuid4()}"
    app.amqp.queues.add(name)
    yield name
    del app.amqp.queues[name]


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Mock:
    found = Mock()
    monkeypatch.setattr(queue, "lost", found)
    return found


def run(story: Coroutine[Any, Any, None]) -> None:
    with a_loop() as loop:
        asyncio.run_coroutine_threadsafe(story, loop).result(30)


async def until(is_so: Any) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while not is_so():
                await asyncio.sleep(0.02)
    assert is_so()


def test_they_come_in_their_order_and_the_most_urgent_first(alone: str) -> None:
    usual = [Doorbell(uuid4(), alone, 4, 330) for _ in range(250)]
    urgent = Doorbell(uuid4(), alone, 9, 330)

    async def story() -> None:
        ringing = Doorbells()
        for bell in (*usual, urgent):
            ringing.ring(bell)
        await until(lambda: queue.waiting(alone) == 251)
        ringing.close()

    run(story())
    assert take_all(alone) == [str(bell.job_id) for bell in (urgent, *usual)]


def test_those_that_nobody_took_are_told(alone: str, lost: Mock, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    bells = [Doorbell(uuid4(), alone, 4, 330) for _ in range(3)]

    async def story() -> None:
        ringing = Doorbells()
        for bell in bells:
            ringing.ring(bell)
        await until(lambda: lost.called)
        ringing.close()

    run(story())
    assert lost.call_args.args[0] == bells


def test_a_queue_nobody_reads_is_told(lost: Mock) -> None:
    async def story() -> None:
        ringing = Doorbells()
        ringing.ring(Doorbell(uuid4(), "misspelled", 4, 330))
        await until(lambda: lost.called)
        ringing.close()

    run(story())


def test_no_more_wait_than_may(alone: str, lost: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbells, "MAX_WAITING", 10)

    async def story() -> None:
        ringing = Doorbells()
        for _ in range(12):
            ringing.ring(Doorbell(uuid4(), alone, 4, 330))
        assert lost.call_count == 2
        await until(lambda: queue.waiting(alone) == 10)
        ringing.close()

    run(story())
