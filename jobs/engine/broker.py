"""What the broker says of itself, its queues and its workers. Doorbells: see doorbell.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs.engine.celery_app import celery_app


def broker_messages(queue: str) -> int:
    """Return the number of messages in the broker, of all priorities."""
    with celery_app().connection_for_write() as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue=queue).message_count)


@dataclass(frozen=True)
class BrokerInfo:
    """Settings of the broker that matter; those that it does not show count as good."""

    memory_policy: str
    keeps_a_log: bool  # messages survive a restart

    @property
    def evicts(self) -> bool:
        return self.memory_policy != "noeviction"


def broker_info() -> BrokerInfo:
    """Return the broker's settings, from INFO, since hosted servers often forbid CONFIG."""
    with celery_app().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
        channel: Any = connection.default_channel
        memory, persistence = channel.client.info("memory"), channel.client.info("persistence")
    return BrokerInfo(
        memory_policy=memory.get("maxmemory_policy", "noeviction"),
        keeps_a_log=bool(persistence.get("aof_enabled", True)),
    )


def ping_broker() -> None:
    """Raises what the broker's client raises."""
    with celery_app().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
