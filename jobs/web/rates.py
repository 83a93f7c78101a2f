"""Rate limits: what the settings allow, who a caller is, and what responses say about it.

Requests are counted by rate_counting.py, or from the event loop by asgi/rate_counter.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Self

from django.conf import settings

from jobs.lib.addresses import client_address, client_address_key, parse_address_networks

MAX_FORWARDED_CHARS = 1_000  # of X-Forwarded-For, its end; it is read from there
RATE = re.compile(
    r"(owner|address|account|account-address|device):([1-9][0-9]{0,8})/([1-9][0-9]{0,6})"
)

# What rate_counting.COUNT returns for one caller: for each key the requests in its window, and
# milliseconds until the window ends.
Reply = list[tuple[int, int]]


class Rate(NamedTuple):
    """At most `most` requests in `seconds` for each `who`.

    That is an owner or address; to sign in, also an account, an account from one address, or a
    device that signed in before.
    """

    name: str
    who: str
    most: int
    seconds: int


class RateCount(NamedTuple):
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


def parse_rates(scope: str) -> list[Rate]:
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


class RateIncrement(NamedTuple):
    """The arguments of the script COUNT for one caller, and how to read its reply."""

    rates: tuple[Rate, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, scope: str, callers: Mapping[str, str]) -> Self:
        rates = tuple(rate for rate in parse_rates(scope) if rate.who in callers)
        return cls(rates, tuple(_key(rate, callers[rate.who]) for rate in rates))

    def arguments(self, requests: int) -> list[int]:
        """The part of ARGV that counts so many requests."""
        limits = [number for rate in self.rates for number in (rate.most, rate.seconds)]
        return [len(self.rates), requests, *limits]

    def counts(self, reply: Reply) -> list[RateCount]:
        """Return the counts up to the first rate that is exceeded; others were not counted."""
        return [
            RateCount(rate, requests, -(-milliseconds // 1000))
            for rate, (requests, milliseconds) in zip(self.rates, reply, strict=False)
        ]


def rated_callers(peer: str, forwarded: str, owner_id: int | None) -> dict[str, str]:
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
    return client_address_key(
        client_address(peer, forwarded, trusted=parse_address_networks(trusted), hops=hops)
    )


def rate_headers(counts: Sequence[RateCount]) -> dict[str, str]:
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


@lru_cache(maxsize=10_000)
def _key(rate: Rate, caller: str) -> str:
    # Hashed, since a client may send a long name. Another window has another key.
    short = hashlib.sha256(caller.encode(errors="replace")).hexdigest()[:32]
    return f"rate:{rate.name}:{rate.seconds}:{short}"
