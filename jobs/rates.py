"""How often is too often: requests counted in Redis, the same for all web processes.

The first request of a caller opens a window; those beyond the rate are refused until it ends. To
open it and to count is one step of Redis, so that no count can lose its end. Refused requests do
not make the window longer, nor use up the caller's next rate: one who hammers takes nothing from
others at the same address.
"""

from __future__ import annotations

import hashlib
import re
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

log = structlog.get_logger(__name__)

# How long a request waits for its count. Whoever may pass uncounted has less patience.
OPEN_SECONDS, CLOSED_SECONDS = 0.2, 0.3
REST_SECONDS = 1.0  # after a wait in vain, until somebody who may pass uncounted waits again
COUNT = """
local told = {}
for n, key in ipairs(KEYS) do
  redis.call('SET', key, 0, 'EX', ARGV[2 * n], 'NX')
  local requests = redis.call('INCR', key)
  table.insert(told, {requests, redis.call('PTTL', key)})
  if requests > tonumber(ARGV[2 * n - 1]) then break end
end
return told
"""
RATE = re.compile(r"(owner|address|account):([1-9][0-9]{0,8})/([1-9][0-9]{0,6})")


class RatesUnknown(Exception):
    """Redis does not tell, or not in time."""


@dataclass(frozen=True)
class Rate:
    """At most `most` requests in `seconds` for each `who`: owner, address or account."""

    name: str
    who: str
    most: int
    seconds: int


@dataclass(frozen=True)
class Count:
    """How a caller stands. `resets_in_seconds` is when the window ends, rounded up."""

    rate: Rate
    requests: int
    resets_in_seconds: int

    @property
    def remaining(self) -> int:
        return max(self.rate.most - self.requests, 0)

    @property
    def is_exceeded(self) -> bool:
        return self.requests > self.rate.most


def rates_of(scope: str) -> list[Rate]:
    """As the settings say. Raises ValueError for what is no rate, as `owner:100/60` is one."""
    found = []
    for text in settings.RATES[scope]:
        if not (parts := RATE.fullmatch(text)):
            raise ValueError(text)
        who, most, seconds = parts.groups()
        found.append(Rate(f"{scope}-{who}", who, int(most), int(seconds)))
    return found


def count(scope: str, callers: Mapping[str, str], *, must_know: bool = False) -> list[Count]:
    """Count one request; how its caller stands in each rate of the scope.

    `callers` tells who is asking, by `Rate.who`; a rate whose `who` is not there does not apply.
    None is told beyond one that is exceeded. Raises RatesUnknown when Redis is silent for
    CLOSED_SECONDS where `must_know`, else for OPEN_SECONDS, and at once when it just was.
    """
    rates = [rate for rate in rates_of(scope) if rate.who in callers]
    if not rates:
        return []
    if not must_know and time.monotonic() < _rest.until:
        raise RatesUnknown
    try:
        return _counted(rates, callers, CLOSED_SECONDS if must_know else OPEN_SECONDS)
    except (redis.RedisError, OSError) as error:
        _rest.until = time.monotonic() + REST_SECONDS
        log.warning("requests go uncounted", scope=scope, error=repr(error))
        raise RatesUnknown from error


def is_address(url: str) -> bool:
    """Whether the client makes anything of it; asks nobody."""
    try:
        redis.Redis.from_url(url).connection_pool.make_connection()
    except (redis.RedisError, ValueError, TypeError):  # by what part of it is wrong
        return False
    return True


def ping() -> None:
    """Raises what Redis' client raises, also where there is no such database on the server."""
    _client(settings.CACHE_URL, CLOSED_SECONDS).ping()


def _counted(rates: list[Rate], callers: Mapping[str, str], seconds: float) -> list[Count]:
    keys = [_key(rate, callers[rate.who]) for rate in rates]
    limits = [number for rate in rates for number in (rate.most, rate.seconds)]
    told: Any = _client(settings.CACHE_URL, seconds).eval(COUNT, len(keys), *keys, *limits)
    return [
        Count(rate, requests=requests, resets_in_seconds=-(-milliseconds // 1000))
        for rate, (requests, milliseconds) in zip(rates, told, strict=False)  # up to one exceeded
    ]


def _key(rate: Rate, caller: str) -> str:
    # Hashed, since it may be as long as its sender likes. A new rate begins to count anew.
    short = hashlib.sha256(caller.encode(errors="replace")).hexdigest()[:32]
    return f"rate:{rate.name}:{rate.seconds}:{short}"


@cache
def _client(url: str, seconds: float) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        protocol=2,  # this and the next: a new connection has less to say before the question
        driver_info=None,
        # Again only where the line was cut, as by Redis' restart: that costs no time.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


@dataclass
class _Rest:
    """By time.monotonic. Of two threads that set it at once, either is right."""

    until: float = 0.0


_rest = _Rest()
