"""Count requests in Redis, for all web processes together.

The first request of a caller opens a window; those beyond the rate are refused until it ends. One
script opens the window and counts, so that no count can be without an end. Refused requests do not
extend the window, and do not count in the next rate: a client that exceeds its own rate takes
nothing from others at the same address.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs.web.rates import RateCount, RateIncrement

log = structlog.get_logger(__name__)

# How long a request waits for its count; the first is for those that may pass uncounted.
OPEN_SECONDS, CLOSED_SECONDS = 0.2, 0.3
REST_SECONDS = 1.0  # after a timeout requests that may pass uncounted do not wait
# KEYS: the keys of all callers. ARGV, for each caller: the number of keys, the number of requests
# to count, then the limit and the window in seconds of each key.
COUNT = """
local replies, key, at = {}, 0, 1
while ARGV[at] do
  local last, requests, counts, is_exceeded = key + ARGV[at], tonumber(ARGV[at + 1]), {}, false
  at = at + 2
  while key < last do
    key = key + 1
    if not is_exceeded then
      local counted = redis.call('INCRBY', KEYS[key], requests)
      if counted == requests then redis.call('EXPIRE', KEYS[key], ARGV[at + 1]) end
      counts[#counts + 1] = {counted, redis.call('PTTL', KEYS[key])}
      is_exceeded = counted > tonumber(ARGV[at])
    end
    at = at + 2
  end
  replies[#replies + 1] = counts
end
return replies
"""
GIVE_BACK = """
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then redis.call('DECR', key) end
end
"""


class RatesUnknown(Exception):
    """Redis did not reply in time."""


def count_in_rates(
    scope: str, callers: Mapping[str, str], *, must_know: bool = False
) -> list[RateCount]:
    """Count one request. Return the caller's count in each rate of the scope.

    `callers` has the caller's name by `Rate.who`; rates without one do not apply. Stops at the
    first rate that is exceeded. Raises RatesUnknown if Redis does not reply within OPEN_SECONDS
    (CLOSED_SECONDS if `must_know`), or at once if it just did not.
    """
    increment = RateIncrement.of(scope, callers)
    if not increment.rates:
        return []
    if not must_know and is_rate_counting_paused():
        raise RatesUnknown
    client = _client(settings.CACHE_URL, CLOSED_SECONDS if must_know else OPEN_SECONDS)
    try:
        keys, arguments = increment.keys, increment.arguments(1)
        replies: Any = client.eval(COUNT, len(keys), *keys, *arguments)
    except (redis.RedisError, OSError) as error:
        pause_rate_counting(error)
        raise RatesUnknown from error
    return increment.counts(replies[0])


def uncount_in_rates(scope: str, callers: Mapping[str, str]) -> None:
    """Undo `count` for one request, in windows that are still open."""
    if not (keys := RateIncrement.of(scope, callers).keys):
        return
    try:
        _client(settings.CACHE_URL, CLOSED_SECONDS).eval(GIVE_BACK, len(keys), *keys)
    except (
        redis.RedisError,
        OSError,
    ) as error:  # then it stays counted in its window
        log.warning("count not given back", error=repr(error))


def is_rate_counting_paused() -> bool:
    """Return True shortly after a timeout of Redis: requests then pass uncounted."""
    return time.monotonic() < _rest.until


def pause_rate_counting(error: Exception) -> None:
    """Let requests pass uncounted for a while."""
    _rest.until = time.monotonic() + REST_SECONDS
    log.warning("requests go uncounted", error=repr(error))


def is_rate_counting_url(url: str) -> bool:
    """Return True if the Redis client can parse the URL. Makes no connection."""
    try:
        redis.Redis.from_url(url).connection_pool.make_connection()
    except (redis.RedisError, ValueError, TypeError):  # depends on the part that is wrong
        return False
    return True


def ping_rate_counting() -> None:
    """Ping Redis. Raises the errors of its client, also if the server has no such database."""
    _client(settings.CACHE_URL, CLOSED_SECONDS).ping()


@cache
def _client(url: str, seconds: float) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        protocol=2,  # this and the next: a new connection sends fewer commands first
        driver_info=None,
        # Retries only a broken connection, as after a restart of Redis: that costs no time.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


@dataclass
class _Rest:
    """A time of time.monotonic. Threads may overwrite each other's value."""

    until: float = 0.0


_rest = _Rest()
