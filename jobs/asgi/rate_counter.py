"""Requests counted in Redis from the event loop: the counts of jobs/rates.py.

Redis is asked with the first request of a caller. Those that follow closely are counted here, and
in Redis all together every FLUSH_SECONDS. What other processes count meanwhile is not known for so
long; so whoever is close to a limit is counted in Redis with each request.
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

from jobs import rates
from jobs.asgi.batches import Batches
from jobs.asgi.redis import Pipeline, Unavailable
from jobs.rates import COUNT, OPEN_SECONDS, Count, Increment, Rate, RatesUnknown, Told

SHA1 = hashlib.sha1(COUNT.encode(), usedforsecurity=False).hexdigest()
MAX_BATCH = 100  # callers; Redis answers nobody else while it counts them
FLUSH_SECONDS = 0.1
FRESH_SECONDS = 2 * FLUSH_SECONDS  # how long it is enough to have asked Redis
CLOSE = 0.1  # of a rate: what is left when each request is counted in Redis
CLOSE_REQUESTS = 10  # at least

_Question = tuple[Increment, int]  # how many requests to count


class RateCounter:
    """Counts as `rates.count` does, for who may pass uncounted while Redis is silent."""

    def __init__(self) -> None:
        self._redis = Pipeline(settings.CACHE_URL, answer_seconds=OPEN_SECONDS, script=COUNT)
        self._batches = Batches(self._ask, at_once=1, max_size=MAX_BATCH)
        self._tallies: dict[tuple[str, ...], _Tally] = {}  # by keys, of who was counted just now
        self._flushing: asyncio.Task[None] | None = None

    async def count(self, scope: str, callers: Mapping[str, str]) -> list[Count]:
        """How the caller stands in each rate. Raises RatesUnknown where Redis does not tell."""
        texts = tuple(settings.RATES[scope])
        increment = _increment(scope, texts, tuple(callers.items()))
        if not increment.rates:
            return []
        if rates.is_resting():
            raise RatesUnknown
        tally = self._tallies.get(increment.keys)
        if tally is None:
            tally = self._tallies[increment.keys] = _Tally(increment)
            self._flush_soon()
        elif tally.is_far_from_limits:
            tally.pending += 1
            return tally.counts()
        told = await self._batches.answer((increment, tally.take_pending() + 1))
        tally.learn(told)
        return increment.counts(told)

    async def _ask(self, questions: list[_Question]) -> list[Told]:
        keys = [key for increment, _ in questions for key in increment.keys]
        limits = [
            number for increment, requests in questions for number in increment.arguments(requests)
        ]
        command: Any = ("EVALSHA", SHA1, len(keys), *keys, *limits)
        try:
            return cast(list[Told], await self._redis.ask(hiredis.pack_command(command)))
        except (Unavailable, hiredis.HiredisError) as error:
            rates.rest(error)
            self._tallies.clear()
            self._redis.close()  # the next connection loads the script anew
            raise RatesUnknown from error

    def _flush_soon(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        """Tell Redis what was counted here, as long as anybody is."""
        try:
            while self._tallies:
                await asyncio.sleep(FLUSH_SECONDS)
                for tally in list(self._tallies.values()):
                    if requests := tally.take_pending():
                        asked = self._batches.answer((tally.increment, requests))
                        asked.add_done_callback(tally.on_told)
                    elif not tally.is_fresh:
                        self._tallies.pop(tally.increment.keys, None)
        finally:
            self._flushing = None

    def close(self) -> None:
        if self._flushing:
            self._flushing.cancel()
        self._redis.close()


class _Tally:
    """How one caller stands: what Redis told, and what was counted here since then."""

    __slots__ = ("_ends_at", "_requests", "_sent", "_told_at", "increment", "pending")

    def __init__(self, increment: Increment) -> None:
        self.increment = increment
        self.pending = 0
        self._sent = 0  # what Redis is told just now
        self._told_at = 0.0
        self._requests: list[int] = []  # in each rate
        self._ends_at: list[float] = []

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self._told_at < FRESH_SECONDS

    @property
    def is_far_from_limits(self) -> bool:
        """Whether one more is certainly allowed, in windows that last for a while."""
        if not self.is_fresh or len(self._requests) < len(self.increment.rates):
            return False
        here, until = self.pending + self._sent, time.monotonic() + FRESH_SECONDS
        return all(
            requests + here < rate.most - max(CLOSE_REQUESTS, rate.most * CLOSE) and until < ends_at
            for rate, requests, ends_at in self._rows()
        )

    def counts(self) -> list[Count]:
        here, now = self.pending + self._sent, time.monotonic()
        return [
            Count(rate, requests + here, int(ends_at - now) + 1)
            for rate, requests, ends_at in self._rows()
        ]

    def _rows(self) -> zip[tuple[Rate, int, float]]:
        return zip(self.increment.rates, self._requests, self._ends_at, strict=True)

    def take_pending(self) -> int:
        self._sent, self.pending = self.pending, 0
        return self._sent

    def learn(self, told: Told) -> None:
        self._told_at = now = time.monotonic()
        self._sent = 0
        self._requests = [requests for requests, _ in told]
        self._ends_at = [now + milliseconds / 1000 for _, milliseconds in told]

    def on_told(self, asked: asyncio.Future[Told]) -> None:
        if not asked.cancelled() and not asked.exception():
            self.learn(asked.result())


@lru_cache(maxsize=10_000)
def _increment(
    scope: str, texts: tuple[str, ...], callers: tuple[tuple[str, str], ...]
) -> Increment:
    # `texts` are what the settings say of the scope: with others this is another entry.
    return Increment.of(scope, dict(callers))
