"""Doorbells sent from the event loop reach the broker, or are logged as lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest

from downloads_project.celery import app
from jobs.engine import broker, doorbell
from jobs.engine.doorbell_message import Doorbell
from jobs.web.asgi import doorbells
from jobs.web.asgi.doorbells import Doorbells
from tests.asgi.both import a_loop, until
from tests.test_queue import take_all


@pytest.fixture
def alone() -> Iterator[str]:
    """A queue for this test only."""
    name = f"test-{uuid4()}"
    app.amqp.queues.add(name)
    yield name
    del app.amqp.queues[name]


@pytest.fixture
def log_lost(monkeypatch: pytest.MonkeyPatch) -> Mock:
    found = Mock()
    monkeypatch.setattr(doorbell, "log_lost_doorbells", found)
    return found


def run(story: Coroutine[Any, Any, None]) -> None:
    with a_loop() as loop:
        asyncio.run_coroutine_threadsafe(story, loop).result(30)


def test_workers_get_them_in_order(alone: str) -> None:
    bells = [Doorbell(uuid4(), alone, 330) for _ in range(250)]

    async def story() -> None:
        ringing = Doorbells()
        for bell in bells:
            ringing.ring(bell)
        await until(lambda: broker.broker_messages(alone) == 250)
        ringing.close()

    run(story())
    assert take_all(alone) == [str(bell.job_id) for bell in bells]


def test_doorbells_that_redis_did_not_take_are_logged(
    alone: str, log_lost: Mock, settings: Any
) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    bells = [Doorbell(uuid4(), alone, 330) for _ in range(3)]

    async def story() -> None:
        ringing = Doorbells()
        for bell in bells:
            ringing.ring(bell)
        await until(lambda: log_lost.called)
        ringing.close()

    run(story())
    assert log_lost.call_args.args[0] == bells


def test_a_queue_that_is_not_configured_is_logged(log_lost: Mock) -> None:
    async def story() -> None:
        ringing = Doorbells()
        ringing.ring(Doorbell(uuid4(), "misspelled", 330))
        await until(lambda: log_lost.called)
        ringing.close()

    run(story())


def test_waiting_doorbells_are_bounded(
    alone: str, log_lost: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbells, "MAX_WAITING", 10)

    async def story() -> None:
        ringing = Doorbells()
        for _ in range(12):
            ringing.ring(Doorbell(uuid4(), alone, 330))
        assert log_lost.call_count == 2
        await until(lambda: broker.broker_messages(alone) == 10)
        ringing.close()

    run(story())
