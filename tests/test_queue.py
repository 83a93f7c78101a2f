"""Doorbells on the real broker."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock
from uuid import UUID, uuid4

import pytest
from kombu.exceptions import OperationalError

from downloads_project.celery import app
from jobs.engine import broker, doorbell, doorbell_message
from jobs.engine.doorbell_message import Doorbell
from tests.live import ROOT
from tests.test_initiate import wait_for


@pytest.fixture(autouse=True)
def alone(settings: Any) -> Iterator[str]:
    """A queue for this test only."""
    name = f"{settings.QUEUE}-alone"
    app.amqp.queues.add(name)
    yield name
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge(name)
    del app.amqp.queues[name]


def bell(queue_name: str) -> Doorbell:
    return Doorbell(uuid4(), queue_name, 330)


def take_all(name: str) -> list[str]:
    """Return the ids in the order in which a worker gets them."""
    taken = []
    with app.connection_for_read() as connection:
        box = connection.SimpleQueue(app.amqp.queues[name])
        while True:
            try:
                message = box.get(block=True, timeout=0.3)
            except box.Empty:
                return taken
            message.ack()
            taken.append(message.payload[0][0])


def test_the_oldest_comes_first(alone: str) -> None:
    bells = [bell(alone) for _ in range(3)]
    for each in bells:
        doorbell.ring_doorbell(each)

    assert take_all(alone) == [str(each.job_id) for each in bells]


def raw(name: str) -> dict[str, Any]:
    """Return the oldest message."""
    with app.connection_for_read() as connection:
        message = json.loads(connection.default_channel.client.rpop(name))
    message["body"] = json.loads(base64.b64decode(message["body"]))
    assert UUID(message["headers"]["id"]).version == 4
    assert message["headers"]["id"] == message["headers"]["root_id"]
    assert message["headers"]["id"] == message["properties"]["correlation_id"]
    assert UUID(message["properties"]["delivery_tag"]).version == 4
    return message


@pytest.mark.parametrize("limit", [330, 1830])
def test_a_doorbell_is_the_message_that_celery_would_send(alone: str, limit: int) -> None:
    each = Doorbell(uuid4(), alone, limit)
    doorbell.ring_doorbell(each)
    doorbell.ring_doorbell(each)
    app.send_task(
        doorbell_message.TASK,
        args=[str(each.job_id)],
        queue=alone,
        time_limit=limit,
        ignore_result=False,
    )

    first, second, celerys = [raw(alone) for _ in range(3)]

    ids = {first["headers"]["id"], second["headers"]["id"], celerys["headers"]["id"]}
    assert len(ids) == 3
    for message in (first, second, celerys):
        for name in ("id", "root_id"):
            del message["headers"][name]
        for name in ("correlation_id", "delivery_tag", "reply_to"):
            del message["properties"][name]
    assert first == second == celerys
    assert list(first) == list(celerys)


def test_time_limits_of_all_sizes_share_one_template(alone: str) -> None:
    messages = doorbell_message._Messages()
    bells = [Doorbell(uuid4(), alone, limit) for limit in range(330, 430)]

    (texts,) = messages.by_list(bells).values()

    limits = [json.loads(text)["headers"]["timelimit"] for text in texts]
    assert limits == [[limit, None] for limit in range(330, 430)]
    assert len(messages._templates) == 1


def test_a_connection_that_ended_meanwhile_loses_no_doorbell(alone: str) -> None:
    doorbell.ring_doorbell(bell(alone))
    with app.connection_for_write() as connection:
        client = connection.default_channel.client
        me = client.client_id()
        for other in client.client_list():
            if int(other["id"]) != me:
                client.client_kill_filter(_id=other["id"])

    doorbell.ring_doorbell(bell(alone))

    assert broker.broker_messages(alone) == 2


def test_a_consumed_message_leaves_nothing_in_redis(alone: str) -> None:
    ring = bell(alone)
    doorbell.ring_doorbell(ring)
    taken: list[str] = []

    def take(body: Any, message: Any) -> None:
        taken.append(body[0][0])
        assert not client.exists("unacked", "unacked_index")
        message.ack()

    with app.connection_for_read() as connection:
        client = connection.default_channel.client
        queues = [app.amqp.queues[alone]]
        with app.amqp.TaskConsumer(connection, queues=queues, callbacks=[take]):
            connection.drain_events(timeout=2)

    assert taken == [str(ring.job_id)]
    assert broker.broker_messages(alone) == 0


def test_the_messages_of_a_queue_are_one_list(alone: str) -> None:
    assert broker.broker_messages(alone) == 0

    for _ in range(3):
        doorbell.ring_doorbell(bell(alone))

    assert broker.broker_messages(alone) == 3
    with app.connection_for_read() as connection:
        assert connection.default_channel.client.llen(alone) == 3
    assert "LLEN download-jobs\n" in (ROOT / "docs/operations.md").read_text()


def test_an_unknown_queue_is_refused() -> None:
    with pytest.raises(Exception, match="misspelled"):
        doorbell.ring_doorbell(Doorbell(uuid4(), "misspelled", 330))


def test_a_lost_doorbell_is_no_error_for_the_caller(broker: Mock, alone: str) -> None:
    broker.side_effect = [OperationalError("Redis is away"), None]

    doorbell._publisher.put(bell(alone))
    wait_for(lambda: broker.call_count == 1)
    doorbell._publisher.put(bell(alone))

    wait_for(lambda: broker.call_count == 2)


def test_a_flood_of_doorbells_is_bounded(broker: Mock, alone: str) -> None:
    broker.side_effect = lambda bells: time.sleep(0.5)

    for _ in range(doorbell.MAX_WAITING + 500):
        doorbell._publisher.put(bell(alone))

    assert len(doorbell._publisher._waiting) <= doorbell.MAX_WAITING
    doorbell._publisher._waiting.clear()
