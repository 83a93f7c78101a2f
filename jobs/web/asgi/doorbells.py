"""Send doorbells from the event loop, without the publisher thread of jobs/engine/doorbell.py."""

from __future__ import annotations

from typing import Any

import hiredis
from django.conf import settings

from jobs.engine import doorbell
from jobs.engine.doorbell import MAX_BATCH, MAX_WAITING
from jobs.engine.doorbell_message import Doorbell, end_spans, messages
from jobs.web.asgi.batcher import Batcher
from jobs.web.asgi.redis import RedisPipeline

TIMEOUT_SECONDS = 2.0


class Doorbells:
    """One connection to the broker. Requests do not wait for it."""

    def __init__(self) -> None:
        self._redis = RedisPipeline(settings.CELERY_BROKER_URL, timeout=TIMEOUT_SECONDS)
        self._batcher = Batcher(self._send, max_concurrent=1, max_size=MAX_BATCH)

    def ring(self, bell: Doorbell) -> None:
        """Notify a worker soon. Never raises; the dispatcher sends lost doorbells again."""
        if self._batcher.waiting < MAX_WAITING:
            self._batcher.submit(bell)
        else:
            doorbell.log_lost_doorbells(
                [bell], RuntimeError("Too many doorbells wait for the broker.")
            )

    async def _send(self, bells: list[Doorbell]) -> list[None]:
        try:
            for name, texts in messages.by_list(bells).items():
                command: Any = ("LPUSH", name, *texts)
                await self._redis.execute(hiredis.pack_command(command))
            end_spans(bells)
        except Exception as error:
            doorbell.log_lost_doorbells(bells, error)
        return [None] * len(bells)

    def close(self) -> None:
        self._redis.close()
