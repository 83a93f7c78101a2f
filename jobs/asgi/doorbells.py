"""Doorbells rung from the event loop: what jobs/queue.py does in a thread, at less cost."""

from __future__ import annotations

from typing import Any

import hiredis
from django.conf import settings

from jobs import queue
from jobs.asgi.batches import Batches
from jobs.asgi.redis import Pipeline
from jobs.queue import MAX_TOGETHER, MAX_WAITING, Doorbell

ANSWER_SECONDS = 2.0


class Doorbells:
    """One connection to the broker. Nobody waits for it; the dispatcher rings what was lost."""

    def __init__(self) -> None:
        self._redis = Pipeline(settings.CELERY_BROKER_URL, answer_seconds=ANSWER_SECONDS)
        self._batches = Batches(self._send, at_once=1, max_size=MAX_TOGETHER)

    def ring(self, bell: Doorbell) -> None:
        """Tell a worker soon. Never raises."""
        if self._batches.waiting < MAX_WAITING:
            self._batches.answer(bell)
        else:
            queue.lost([bell], RuntimeError("Too many wait for the broker."))

    async def _send(self, bells: list[Doorbell]) -> list[None]:
        try:
            for name, texts in queue.messages.by_list(bells).items():
                command: Any = ("LPUSH", name, *texts)
                await self._redis.ask(hiredis.pack_command(command))
        except Exception as error:
            queue.lost(bells, error)
        return [None] * len(bells)

    def close(self) -> None:
        self._redis.close()
