"""Count requests in Redis from the event loop, with the rates of jobs/web/rates.py.

The first request of a caller is counted in Redis. Requests that follow within FRESH_SECONDS are
counted in this process and added to Redis together, every FLUSH_SECONDS. Until then other processes
do not see them; so a caller near a limit is counted in Redis with each request.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import hiredis
from django.conf import settings

from jobs.web import rate_counting
from jobs.web.asgi.batcher import Batcher
from jobs.web.asgi.redis import RedisPipeline, RedisUnavailable
from jobs.web.rate_counting import COUNT, OPEN_SECONDS, RatesUnknown
from jobs.web.rates import Rate, RateCount, RateIncrement, Reply

SHA1 = hashlib.sha1(COUNT.encode(), usedforsecurity=False).hexdigest()
MAX_BATCH = 100  # callers; Redis answers nobody else while it counts them
FLUSH_SECONDS = 0.1
FRESH_SECONDS = 2 * FLUSH_SECONDS  # how long a reply of Redis is good enough
NEAR_LIMIT = 0.1  # share of a rate that remains
NEAR_LIMIT_REQUESTS = 10  # at least


class RateCounter:
    """Counts as rate_counting.py does, for requests that may pass uncounted while Redis is down."""

    def __init__(self) -> None:
        self._redis = RedisPipeline(settings.CACHE_URL, timeout=OPEN_SECONDS, script=COUNT)
        self._batcher = Batcher(self._count_in_redis, max_concurrent=1, max_size=MAX_BATCH)
        self._local: dict[tuple[str, ...], _LocalCount] = {}  # by keys, of recent callers
        self._flushing: asyncio.Task[None] | None = None

    async def count(self, scope: str, callers: Mapping[str, str]) -> list[RateCount]:
        """Count one request. Returns the caller's count in each rate of the scope.

        Raises RatesUnknown if Redis does not answer.
        """
        texts = tuple(settings.RATES[scope])
        increment = _increment(scope, texts, tuple(callers.items()))
        if not increment.rates:
            return []
        if rate_counting.is_rate_counting_paused():
            raise RatesUnknown
        local = self._local.get(increment.keys)
        if local is None or local.increment is not increment:
            local = self._local[increment.keys] = _LocalCount(increment)
            self._start_flushing()
        elif not local.is_near_limit:
            local.pending += 1
            return local.counts()
        reply = await self._batcher.submit((increment, local.take_pending() + 1))
        local.update(reply)
        return increment.counts(reply)

    async def _count_in_redis(self, batch: list[tuple[RateIncrement, int]]) -> list[Reply]:
        keys = [key for increment, _ in batch for key in increment.keys]
        arguments = [
            number for increment, requests in batch for number in increment.arguments(requests)
        ]
        command: Any = ("EVALSHA", SHA1, len(keys), *keys, *arguments)
        try:
            return cast(list[Reply], await self._redis.execute(hiredis.pack_command(command)))
        except (RedisUnavailable, hiredis.HiredisError) as error:
            rate_counting.pause_rate_counting(error)
            self._local.clear()
            self._redis.close()  # the next connection loads the script again
            raise RatesUnknown from error

    def _start_flushing(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        """Add local counts to Redis, until no caller was seen for FRESH_SECONDS."""
        try:
            while self._local:
                await asyncio.sleep(FLUSH_SECONDS)
                for local in list(self._local.values()):
                    if requests := local.take_pending():
                        reply = self._batcher.submit((local.increment, requests))
                        reply.add_done_callback(local.on_reply)
                    elif not local.is_fresh:
                        self._local.pop(local.increment.keys, None)
        finally:
            self._flushing = None

    def close(self) -> None:
        if self._flushing:
            self._flushing.cancel()
        self._redis.close()


class _LocalCount:
    """One caller: the last reply of Redis, and the requests counted here since then."""

    __slots__ = ("_ends_at", "_replied_at", "_requests", "_sent", "increment", "pending")

    def __init__(self, increment: RateIncrement) -> None:
        self.increment = increment
        self.pending = 0
        self._sent = 0  # to Redis, without a reply so far
        self._replied_at = 0.0
        self._requests: list[int] = []  # in Redis, for each rate
        self._ends_at: list[float] = []  # the window of each rate

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self._replied_at < FRESH_SECONDS

    @property
    def is_near_limit(self) -> bool:
        """Whether to count the next request in Redis: also if the reply is old or a window ends."""
        if not self.is_fresh or len(self._requests) < len(self.increment.rates):
            return True
        here, until = self.pending + self._sent, time.monotonic() + FRESH_SECONDS
        return any(
            requests + here >= rate.most - max(NEAR_LIMIT_REQUESTS, rate.most * NEAR_LIMIT)
            or until >= ends_at
            for rate, requests, ends_at in self._rows()
        )

    def counts(self) -> list[RateCount]:
        here, now = self.pending + self._sent, time.monotonic()
        return [
            RateCount(rate, requests + here, int(ends_at - now) + 1)
            for rate, requests, ends_at in self._rows()
        ]

    def _rows(self) -> zip[tuple[Rate, int, float]]:
        return zip(self.increment.rates, self._requests, self._ends_at, strict=True)

    def take_pending(self) -> int:
        self._sent, self.pending = self.pending, 0
        return self._sent

    def update(self, reply: Reply) -> None:
        self._replied_at = now = time.monotonic()
        self._sent = 0
        self._requests = [requests for requests, _ in reply]
        self._ends_at = [now + milliseconds / 1000 for _, milliseconds in reply]

    def on_reply(self, reply: asyncio.Future[Reply]) -> None:
        if not reply.cancelled() and not reply.exception():
            self.update(reply.result())


@lru_cache(maxsize=10_000)
def _increment(
    scope: str, texts: tuple[str, ...], callers: tuple[tuple[str, str], ...]
) -> RateIncrement:
    # `texts` are the settings of the scope: other settings make another entry.
    return RateIncrement.of(scope, dict(callers))
