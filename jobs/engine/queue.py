"""The only code that uses the broker: it sends doorbells, and reads the queue for operators.

A doorbell is a message with a job's id. It may be lost, late or duplicated: the row decides, and
the dispatcher rings again. So requests never wait for Redis: a thread sends, or the event loop
(jobs/web/asgi/doorbells.py).
"""

from __future__ import annotations

import base64
import json
import threading
from bisect import bisect
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.db import transaction
from kombu.transport.redis import Channel

from downloads_project.celery import app

log = structlog.get_logger(__name__)

TASK = "jobs.run"
ANSWER_SECONDS = 1.0
MAX_WAITING = 10_000  # doorbells; above it, the oldest are left to the dispatcher
MAX_BATCH = 100  # doorbells in one command


@dataclass(frozen=True)
class Doorbell:
    """A message that a job is due, and how to send it."""

    job_id: UUID | str
    queue: str
    priority: int  # 9 is the most urgent
    time_limit_seconds: int


def ring(bell: Doorbell) -> None:
    """Send a doorbell now. Raises what the broker's client raises, within about 2 s."""
    send([bell])


def ring_after_commit(bell: Doorbell) -> None:
    """Send a doorbell after the transaction commits, without waiting for the broker."""
    transaction.on_commit(partial(ring_soon, bell))


def ring_soon(bell: Doorbell) -> None:
    """Send a doorbell from a thread, without waiting for the broker. Never raises."""
    _publisher.put(bell)


def waiting(queue: str) -> int:
    """Return the number of messages in the broker, of all priorities."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue=queue).message_count)


@dataclass(frozen=True)
class Server:
    """Settings of the broker that matter; those that it does not show count as good."""

    memory_policy: str
    keeps_a_log: bool  # messages survive a restart

    @property
    def evicts(self) -> bool:
        return self.memory_policy != "noeviction"


def server() -> Server:
    """Return the broker's settings, from INFO, since hosted servers often forbid CONFIG."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
        channel: Any = connection.default_channel
        memory, persistence = channel.client.info("memory"), channel.client.info("persistence")
    return Server(
        memory_policy=memory.get("maxmemory_policy", "noeviction"),
        keeps_a_log=bool(persistence.get("aof_enabled", True)),
    )


def workers() -> dict[str, int]:
    """Return the workers that respond within ANSWER_SECONDS, with their number of processes.

    Always takes that long. Raises what the broker's client raises.
    """
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
        inspect = app.control.inspect(timeout=ANSWER_SECONDS, connection=connection)
        answers: dict[str, Any] = inspect.stats() or {}
    return {name: int(stats["pool"]["max-concurrency"]) for name, stats in answers.items()}


def ping() -> None:
    """Raises what the broker's client raises."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)


class _Messages:
    """Build the messages of `app.send_task`, at a tenth of its cost.

    Celery builds the first message for each queue and priority. The others are copies with new ids
    and time limits.
    """

    def __init__(self) -> None:
        self._templates: dict[tuple[str, int], _Template] = {}
        self._lock = threading.Lock()

    def by_list(self, bells: Iterable[Doorbell]) -> dict[str, list[str]]:
        """Return the messages by the Redis list that each belongs to, in order.

        Raises QueueNotFound for a queue that is not configured.
        """
        found: dict[str, list[str]] = {}
        for bell in bells:
            template = self._template(bell.queue, 9 - bell.priority)
            text = template.message(str(bell.job_id), bell.time_limit_seconds)
            found.setdefault(template.list, []).append(text)
        return found

    def _template(self, *key: Any) -> _Template:
        with self._lock:
            if (template := self._templates.get(key)) is None:
                template = self._templates[key] = _Template(*key)
            return template


messages = _Messages()


class _Sender:
    """Send messages over a persistent connection."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._lock = threading.Lock()

    def send(self, bells: Sequence[Doorbell]) -> None:
        """Send doorbells to the workers. Raises the errors of the broker's client."""
        with self._lock:
            for name, texts in messages.by_list(bells).items():
                try:
                    self._push(name, texts)
                except Exception:  # the connection that was kept may have ended meanwhile
                    self._close()
                    self._push(name, texts)

    def _push(self, name: str, texts: list[str]) -> None:
        if self._connection is None:
            self._connection = app.connection_for_write()
        self._connection.default_channel.client.lpush(name, *texts)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            with suppress(Exception):
                connection.close()


class _Template:
    """The text of a message, with placeholders for three ids, the time limit and the body."""

    def __init__(self, queue: str, priority: int) -> None:
        self.list = _list_name(queue, priority)
        mark: dict[str, Any] = {
            each: f"<{each}>" for each in ("job", "task", "delivery", "time limit")
        }
        with app.connection_for_write("memory://") as memory:
            app.send_task(
                TASK,
                args=[mark["job"]],
                task_id=mark["task"],
                queue=queue,
                priority=priority,
                time_limit=mark["time limit"],  # Celery passes it on as it is
                ignore_result=False,
                connection=memory,
            )
            channel: Any = memory.default_channel
            message = channel._get(queue)
        self._body = base64.b64decode(message["body"]).decode()
        message["body"] = "<body>"
        message["properties"]["delivery_tag"] = mark["delivery"]
        self._text = json.dumps(message)

    def message(self, job_id: str, time_limit_seconds: int) -> str:
        body = base64.b64encode(self._body.replace("<job>", job_id).encode()).decode()
        text = self._text.replace("<body>", body).replace("<job>", job_id)
        text = text.replace('"<time limit>"', str(time_limit_seconds))
        return text.replace("<task>", str(uuid4())).replace("<delivery>", str(uuid4()))


def _list_name(queue: str, priority: int) -> str:
    """Return the Redis list that kombu reads for this priority; 0 is read first."""
    options = app.conf.broker_transport_options or {}
    steps = options.get("priority_steps", Channel.priority_steps)
    step = steps[bisect(steps, priority) - 1]
    return f"{queue}{options.get('sep', Channel.sep)}{step}" if step else queue


send = _Sender().send


class _Publisher:
    """One daemon thread a process, started for the first doorbell, and so after any fork."""

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
            while bells := self._next_batch():
                self._send(bells)

    def _next_batch(self) -> list[Doorbell]:
        bells: list[Doorbell] = []
        while self._waiting and len(bells) < MAX_BATCH:
            bells.append(self._waiting.popleft())
        return bells

    def _send(self, bells: list[Doorbell]) -> None:
        try:
            send(bells)
        except Exception as error:
            log_lost(bells, error)


_publisher = _Publisher()


def log_lost(bells: Sequence[Doorbell], error: BaseException) -> None:
    """Log that these doorbells may not have reached the broker."""
    log.warning(
        "doorbells lost; the dispatcher rings again",
        job_ids=[str(bell.job_id) for bell in bells],
        error=repr(error),
    )
