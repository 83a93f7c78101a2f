"""Identifies clients, by address or behind trusted proxies, for limits per client."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cache, lru_cache
from typing import Any

from django.conf import settings

from jobs.lib.addresses import (
    Network,
    client_address,
    client_address_key,
    is_address_in,
    parse_address,
    parse_address_networks,
)

Scope = MutableMapping[str, Any]
FORWARDED = b"x-forwarded-for"


def client_key(scope: Scope) -> str:
    """Return the key of the client of a request, the same as in jobs.web.throttle."""
    peer = scope["client"][0] if scope.get("client") else ""
    if not _proxies() and not settings.TRUSTED_PROXY_HOPS:
        return peer_client(peer)
    forwarded = b",".join(value for name, value in scope["headers"] if name == FORWARDED)
    return _forwarded_client(peer, forwarded.decode("latin-1"))


@lru_cache(4096)
def peer_client(peer: str) -> str:
    return client_address_key(parse_address(peer))


@lru_cache(4096)
def is_proxy_client(peer: str) -> bool:
    """Return True if this peer is a trusted proxy."""
    found = parse_address(peer)
    return settings.TRUSTED_PROXY_HOPS > 0 or (
        found is not None and is_address_in(found, _proxies())
    )


@lru_cache(4096)
def _forwarded_client(peer: str, forwarded: str) -> str:
    hops = settings.TRUSTED_PROXY_HOPS
    return client_address_key(client_address(peer, forwarded, trusted=_proxies(), hops=hops))


@cache
def _proxies() -> list[Network]:
    return parse_address_networks(settings.TRUSTED_PROXIES)
