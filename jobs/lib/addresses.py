"""Which client a request comes from, whatever proxies stand between. Pure.

Anybody can write X-Forwarded-For. But each proxy adds at its end the address that it saw, so the
list is read from there, and only as far as the proxies are ours. CF-Connecting-IP and its like
are never looked at: the same address is in this list.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ONE_CLIENT_BITS = 64  # of IPv6: who has one address has all that share its first half


def client_of(
    peer: str, forwarded: str, *, trusted: Sequence[Network] = (), hops: int = 0
) -> Address | None:
    """The client's address; None where even the peer has none, as on a socket in a file.

    `peer` is who opened the connection, `forwarded` the X-Forwarded-For header. Trusted are the
    networks, or else that many proxies, the nearest being the peer itself.
    """
    found = address(peer)
    for n, entry in enumerate(reversed(forwarded.split(",")) if forwarded else []):
        is_ours = n < hops or (found is not None and is_in(found, trusted))
        if not is_ours or (earlier := address(entry)) is None:
            break
        found = earlier
    return found


def is_in(found: Address, networks: Sequence[Network]) -> bool:
    return any(found in network for network in networks)


def address(text: str) -> Address | None:
    """As proxies write it: perhaps with a port, IPv6 perhaps in brackets."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def networks(texts: Sequence[str]) -> list[Network]:
    """Raises ValueError for what is neither an address nor a network."""
    return [ip_network(text) for text in texts]


def as_one_client(found: Address | None) -> str:
    """What stands for a client when requests are counted."""
    if isinstance(found, IPv6Address):
        return str(ip_network((found, ONE_CLIENT_BITS), strict=False))
    return str(found or "unknown")
