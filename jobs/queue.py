"""The only sender to the broker: doorbells, and the questions an operator asks.

A doorbell is a job's id. One that is lost, late or doubled does no harm: the row decides, and the
dispatcher rings again. So a request never waits for Redis: a thread of its own sends.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from downloads_project.celery import app

log = structlog.get_logger(__name__)

TASK = "jobs.run"
ANSWER_SECONDS = 1.0
MAX_WAITING = 10_000  # doorbells; beyond it the oldest are dropped, and the dispatcher rings them


@dataclass(frozen=True)
class Doorbell:
    job_id: UUID | str
    queue: str
    priority: int  # 9 is the most urgent
    time_limit_seconds: int


def ring(bell: Doorbell) -> None:
    """Tell a worker now. Raises what the broker's client raises, within about 2 s."""
    app.send_task(
        TASK,
        args=[str(bell.job_id)],
        queue=bell.queue,
        priority=9 - bell.priority,  # on Redis 0 is taken first
        time_limit=bell.time_limit_seconds,
        ignore_result=False,
    )


def ring_after_commit(bell: Doorbell) -> None:
    """Tell a worker once the transaction is durable, without waiting for the broker."""
    transaction.on_commit(partial(ring_soon, bell))


def ring_soon(bell: Doorbell) -> None:
    """Tell a worker, without waiting for the broker. Never raises."""
    _publisher.put(bell)


def waiting(queue: str) -> int:
    """How many messages lie in the broker's list."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue=queue).message_count)


@dataclass(frozen=True)
class Server:
    """What the broker says of itself; what it does not say is taken for good."""

    memory_policy: str
    keeps_a_log: bool  # its messages outlive its restart

    @property
    def evicts(self) -> bool:
        return self.memory_policy != "noeviction"


def server() -> Server:
    """Raises what the broker's client raises. Asks by INFO, since hosts often forbid CONFIG."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
        channel: Any = connection.default_channel
        memory, persistence = channel.client.info("memory"), channel.client.info("persistence")
    return Server(
        memory_policy=memory.get("maxmemory_policy", "noeviction"),
        keeps_a_log=bool(persistence.get("aof_enabled", True)),
    )


def workers() -> dict[str, int]:
    """The workers that answer within ANSWER_SECONDS, and how many processes each has.

    Raises what the broker's client raises. An answer takes all of the time: others may follow.
    """
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
        asked = app.control.inspect(timeout=ANSWER_SECONDS, connection=connection)
        answers: dict[str, Any] = asked.stats() or {}
    return {name: int(stats["pool"]["max-concurrency"]) for name, stats in answers.items()}


def ping() -> None:
    """Raises what the broker's client raises."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)


class _Publisher:
    """One daemon thread a process, started at the first doorbell and so after any fork."""

    def __init__(self) -> None:
        self._waiting: deque[Doorbell] = deque(maxlen=MAX_WAITING)
        self._rung = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, bell: Doorbell) -> None:
        self._waiting.append(bell)
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
                self._thread.start()
        self._rung.set()

    def _run(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            while self._waiting:
                self._send(self._waiting.popleft())

    def _send(self, bell: Doorbell) -> None:
        try:
            ring(bell)
        except Exception as error:
            log.warning(
                "doorbell lost; the dispatcher rings again",
                job_id=str(bell.job_id),
                error=repr(error),
            )


_publisher = _Publisher()
