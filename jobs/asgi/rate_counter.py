"""Requests counted in Redis from the event loop: the counts of jobs/rates.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

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
        increment = Increment.of(scope, callers)
        if not increment.rates:
            return []
        if rates.is_resting():
            raise RatesUnknown
        keys = increment.keys
        command = ("EVALSHA", SHA1, len(keys), *keys, *increment.limits)
        try:
            return increment.counts(await self._redis.ask(*command))
        except (Unavailable, hiredis.HiredisError) as error:
            rates.rest(error)
            self._redis.close()  # the next connection loads the script anew
            raise RatesUnknown from error

    def close(self) -> None:
        self._redis.close()
