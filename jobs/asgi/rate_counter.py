"""Requests counted in Redis from the event loop: the counts of jobs/rates.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import hiredis
from django.conf import settings

from jobs import rates
from jobs.asgi.redis import Pipeline, Unavailable
from jobs.rates import COUNT, OPEN_SECONDS, Count, Increment, RatesUnknown

SHA1 = hashlib.sha1(COUNT.encode(), usedforsecurity=False).hexdigest()


class RateCounter:
    """Counts as `rates.count` does, for who may pass uncounted while Redis is silent."""

    def __init__(self) -> None:
        self._redis = Pipeline(settings.CACHE_URL, answer_seconds=OPEN_SECONDS, script=COUNT)

    async def count(self, scope: str, callers: Mapping[str, str]) -> list[Count]:
        """How the caller stands in each rate. Raises RatesUnknown where Redis does not tell."""
        texts = tuple(settings.RATES[scope])
        increment, packed = _prepared(scope, texts, tuple(callers.items()))
        if not packed:
            return []
        if rates.is_resting():
            raise RatesUnknown
        try:
            return increment.counts(await self._redis.ask(packed))
        except (Unavailable, hiredis.HiredisError) as error:
            rates.rest(error)
            self._redis.close()  # the next connection loads the script anew
            raise RatesUnknown from error

    def close(self) -> None:
        self._redis.close()


@lru_cache(maxsize=10_000)
def _prepared(
    scope: str, texts: tuple[str, ...], callers: tuple[tuple[str, str], ...]
) -> tuple[Increment, bytes]:
    """How a caller is counted, and the command; none where no rate applies."""
    # `texts` are what the settings say of the scope: with others this is another entry.
    increment = Increment.of(scope, dict(callers))
    keys = increment.keys
    command: Any = ("EVALSHA", SHA1, len(keys), *keys, *increment.limits)
    return increment, hiredis.pack_command(command) if keys else b""
