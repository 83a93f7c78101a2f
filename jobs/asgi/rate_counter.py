"""Requests counted in Redis from the event loop: the counts of jobs/rates.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import hiredis
from django.conf import settings

from jobs import rates
from jobs.asgi.batches import Batches
from jobs.asgi.redis import Pipeline, Unavailable
from jobs.rates import COUNT, OPEN_SECONDS, Count, Increment, RatesUnknown, Told

SHA1 = hashlib.sha1(COUNT.encode(), usedforsecurity=False).hexdigest()
MAX_BATCH = 100  # requests; Redis answers nobody else while it counts them


class RateCounter:
    """Counts as `rates.count` does, for who may pass uncounted while Redis is silent."""

    def __init__(self) -> None:
        self._redis = Pipeline(settings.CACHE_URL, answer_seconds=OPEN_SECONDS, script=COUNT)
        self._batches = Batches(self._count, at_once=10, max_size=MAX_BATCH)

    async def count(self, scope: str, callers: Mapping[str, str]) -> list[Count]:
        """How the caller stands in each rate. Raises RatesUnknown where Redis does not tell."""
        texts = tuple(settings.RATES[scope])
        increment = _increment(scope, texts, tuple(callers.items()))
        if not increment.rates:
            return []
        if rates.is_resting():
            raise RatesUnknown
        return increment.counts(await self._batches.answer(increment))

    async def _count(self, increments: list[Increment]) -> list[Told]:
        keys = [key for each in increments for key in each.keys]
        limits = [limit for each in increments for limit in each.limits]
        command: Any = ("EVALSHA", SHA1, len(keys), *keys, *limits)
        try:
            return cast(list[Told], await self._redis.ask(hiredis.pack_command(command)))
        except (Unavailable, hiredis.HiredisError) as error:
            rates.rest(error)
            self._redis.close()  # the next connection loads the script anew
            raise RatesUnknown from error

    def close(self) -> None:
        self._redis.close()


@lru_cache(maxsize=10_000)
def _increment(
    scope: str, texts: tuple[str, ...], callers: tuple[tuple[str, str], ...]
) -> Increment:
    # `texts` are what the settings say of the scope: with others this is another entry.
    return Increment.of(scope, dict(callers))
