"""Find the client's address behind proxies. Pure.

Anybody can send X-Forwarded-For. But each proxy appends the address that it saw, so the list is
read from its end, and only while the proxies are trusted. Headers such as CF-Connecting-IP are
ignored: the same address is in this list.
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

ONE_CLIENT_BITS = 64  # of an IPv6 address: a client usually has the whole /64


def client_address(
    peer: str, forwarded: str, *, trusted: Sequence[Network] = (), hops: int = 0
) -> Address | None:
    """Return the client's address; None if the peer has none, as with a Unix socket.

    `peer` is the address of the connection, `forwarded` the X-Forwarded-For header. Proxies are
    trusted by network, or by number: `hops`, of which the peer is the first.
    """
    found = parse_address(peer)
    for n, entry in enumerate(reversed(forwarded.split(",")) if forwarded else []):
        is_ours = n < hops or (found is not None and is_address_in(found, trusted))
        if not is_ours or (earlier := parse_address(entry)) is None:
            break
        found = earlier
    return found


def is_address_in(found: Address, networks: Sequence[Network]) -> bool:
    return any(found in network for network in networks)


def parse_address(text: str) -> Address | None:
    """Parse an address as proxies write it: IPv6 perhaps in brackets, perhaps with a port."""
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


def parse_address_networks(texts: Sequence[str]) -> list[Network]:
    """Parse addresses and networks. Raises ValueError."""
    return [ip_network(text) for text in texts]


def client_address_key(found: Address | None) -> str:
    """Return the key under which a client's requests are counted."""
    if isinstance(found, IPv6Address):
        return str(ip_network((found, ONE_CLIENT_BITS), strict=False))
    return str(found or "unknown")
