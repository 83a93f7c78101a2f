"""Rate limits: requests counted in Redis, for all web processes together.

The first request of a caller opens a window; those beyond the rate are refused until it ends. One
script opens the window and counts, so that no count can be without an end. Refused requests do not
extend the window, and do not count in the next rate: a client that exceeds its own rate takes
nothing from others at the same address.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple, Self

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs.lib.addresses import as_one_client, client_of, networks

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
MAX_FORWARDED_CHARS = 1_000  # of X-Forwarded-For, its end; it is read from there
RATE = re.compile(
    r"(owner|address|account|account-address|device):([1-9][0-9]{0,8})/([1-9][0-9]{0,6})"
)

# What COUNT returns for one caller: for each key the requests in its window, and milliseconds until
# the window ends.
Reply = list[tuple[int, int]]


class RatesUnknown(Exception):
    """Redis did not reply in time."""


class Rate(NamedTuple):
    """At most `most` requests in `seconds` for each `who`.

    That is an owner or address; to sign in, also an account, an account from one address, or a
    device that signed in before.
    """

    name: str
    who: str
    most: int
    seconds: int


class Count(NamedTuple):
    """The requests of a caller in a window. `resets_in_seconds` is rounded up."""

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
    """Return the rates in the settings, such as `owner:100/60`. Raises ValueError."""
    return _parsed(scope, tuple(settings.RATES[scope]))


@lru_cache(maxsize=64)
def _parsed(scope: str, texts: tuple[str, ...]) -> list[Rate]:
    found = []
    for text in texts:
        if not (parts := RATE.fullmatch(text)):
            raise ValueError(text)
        who, most, seconds = parts.groups()
        found.append(Rate(f"{scope}-{who}", who, int(most), int(seconds)))
    return found


def count(scope: str, callers: Mapping[str, str], *, must_know: bool = False) -> list[Count]:
    """Count one request. Return the caller's count in each rate of the scope.

    `callers` has the caller's name by `Rate.who`; rates without one do not apply. Stops at the
    first rate that is exceeded. Raises RatesUnknown if Redis does not reply within OPEN_SECONDS
    (CLOSED_SECONDS if `must_know`), or at once if it just did not.
    """
    increment = Increment.of(scope, callers)
    if not increment.rates:
        return []
    if not must_know and is_resting():
        raise RatesUnknown
    client = _client(settings.CACHE_URL, CLOSED_SECONDS if must_know else OPEN_SECONDS)
    try:
        keys, arguments = increment.keys, increment.arguments(1)
        replies: Any = client.eval(COUNT, len(keys), *keys, *arguments)
    except (redis.RedisError, OSError) as error:
        rest(error)
        raise RatesUnknown from error
    return increment.counts(replies[0])


def give_back(scope: str, callers: Mapping[str, str]) -> None:
    """Undo `count` for one request, in windows that are still open."""
    if not (keys := Increment.of(scope, callers).keys):
        return
    try:
        _client(settings.CACHE_URL, CLOSED_SECONDS).eval(GIVE_BACK, len(keys), *keys)
    except (
        redis.RedisError,
        OSError,
    ) as error:  # then it stays counted in its window
        log.warning("count not given back", error=repr(error))


class Increment(NamedTuple):
    """The arguments of the script COUNT for one caller, and how to read its reply."""

    rates: tuple[Rate, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, scope: str, callers: Mapping[str, str]) -> Self:
        rates = tuple(rate for rate in rates_of(scope) if rate.who in callers)
        return cls(rates, tuple(_key(rate, callers[rate.who]) for rate in rates))

    def arguments(self, requests: int) -> list[int]:
        """The part of ARGV that counts so many requests."""
        limits = [number for rate in self.rates for number in (rate.most, rate.seconds)]
        return [len(self.rates), requests, *limits]

    def counts(self, reply: Reply) -> list[Count]:
        """Return the counts up to the first rate that is exceeded; others were not counted."""
        return [
            Count(rate, requests, -(-milliseconds // 1000))
            for rate, (requests, milliseconds) in zip(self.rates, reply, strict=False)
        ]


def callers(peer: str, forwarded: str, owner_id: int | None) -> dict[str, str]:
    """Return the caller's names by `Rate.who`. An anonymous client is counted by its address.

    `peer` is the address of the connection, `forwarded` the X-Forwarded-For header.
    """
    client = _client_address(peer, forwarded)
    return {"address": client, "owner": f"user {owner_id}" if owner_id else client}


def _client_address(peer: str, forwarded: str) -> str:
    trusted, hops = tuple(settings.TRUSTED_PROXIES), settings.TRUSTED_PROXY_HOPS
    if not trusted and not hops:
        forwarded = ""  # not trusted
    return _known_address(peer, forwarded[-MAX_FORWARDED_CHARS:], trusted, hops)


@lru_cache(maxsize=10_000)
def _known_address(peer: str, forwarded: str, trusted: tuple[str, ...], hops: int) -> str:
    return as_one_client(client_of(peer, forwarded, trusted=networks(trusted), hops=hops))


def headers(counts: Sequence[Count]) -> dict[str, str]:
    """Return the headers of the IETF draft "RateLimit header fields for HTTP"."""
    if not counts:
        return {}
    limits = [
        f'"{count.rate.name}";r={count.remaining};t={count.resets_in_seconds}' for count in counts
    ]
    policy = _policy(tuple([count.rate for count in counts]))
    return {"RateLimit-Policy": policy, "RateLimit": ", ".join(limits)}


@lru_cache(maxsize=64)
def _policy(rates: tuple[Rate, ...]) -> str:
    return ", ".join(f'"{rate.name}";q={rate.most};w={rate.seconds}' for rate in rates)


def is_resting() -> bool:
    """Return True shortly after a timeout of Redis: requests then pass uncounted."""
    return time.monotonic() < _rest.until


def rest(error: Exception) -> None:
    """Let requests pass uncounted for a while."""
    _rest.until = time.monotonic() + REST_SECONDS
    log.warning("requests go uncounted", error=repr(error))


def is_address(url: str) -> bool:
    """Return True if the Redis client can parse the URL. Makes no connection."""
    try:
        redis.Redis.from_url(url).connection_pool.make_connection()
    except (redis.RedisError, ValueError, TypeError):  # depends on the part that is wrong
        return False
    return True


def ping() -> None:
    """Ping Redis. Raises the errors of its client, also if the server has no such database."""
    _client(settings.CACHE_URL, CLOSED_SECONDS).ping()


@lru_cache(maxsize=10_000)
def _key(rate: Rate, caller: str) -> str:
    # Hashed, since a client may send a long name. Another window has another key.
    short = hashlib.sha256(caller.encode(errors="replace")).hexdigest()[:32]
    return f"rate:{rate.name}:{rate.seconds}:{short}"


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
