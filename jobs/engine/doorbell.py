"""Send doorbells to the broker.

A doorbell is a message with a job's id. It may be lost, late or duplicated: the row decides, and
the dispatcher rings again. So requests never wait for Redis: a thread sends, or the event loop
(jobs/web/asgi/doorbells.py).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from jobs.engine.celery_app import celery_app
from jobs.engine.doorbell_message import Doorbell, end_spans, messages

log = structlog.get_logger(__name__)

MAX_WAITING = 10_000  # doorbells; above it, the oldest are left to the dispatcher
MAX_BATCH = 100  # doorbells in one command


def ring_doorbell(bell: Doorbell) -> None:
    """Send a doorbell now. Raises what the broker's client raises, within about 2 s."""
    send_doorbells([bell])


def ring_doorbell_after_commit(bell: Doorbell) -> None:
    """Send a doorbell after the transaction commits, without waiting for the broker."""
    transaction.on_commit(partial(ring_doorbell_soon, bell))


def ring_doorbell_soon(bell: Doorbell) -> None:
    """Send a doorbell from a thread, without waiting for the broker. Never raises."""
    _publisher.put(bell)


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
        end_spans(bells)

    def _push(self, name: str, texts: list[str]) -> None:
        if self._connection is None:
            self._connection = celery_app().connection_for_write()
        self._connection.default_channel.client.lpush(name, *texts)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            with suppress(Exception):
                connection.close()


send_doorbells = _Sender().send


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
            send_doorbells(bells)
        except Exception as error:
            log_lost_doorbells(bells, error)


_publisher = _Publisher()


def log_lost_doorbells(bells: Sequence[Doorbell], error: BaseException) -> None:
    """Log that these doorbells may not have reached the broker."""
    end_spans(bells, error)
    log.warning(
        "doorbells lost; the dispatcher rings again",
        job_ids=[str(bell.job_id) for bell in bells],
        error=repr(error),
    )
