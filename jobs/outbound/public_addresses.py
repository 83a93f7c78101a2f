"""Decide whether an address is on the public internet. Pure.

Stricter than `is_global` of `ipaddress`, which differs between versions of Python: in 3.11, it is
true for multicast, fec0::/10, NAT64 and 6to4, even for private addresses inside them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

# IANA's special-purpose registries, without public hosts; complete for IPv4.
NOT_PUBLIC = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # Linux: this machine
        "10.0.0.0/8",
        "100.64.0.0/10",  # between a provider and its customers
        "127.0.0.0/8",
        "168.63.129.16/32",  # not in a registry: the metadata service of Azure
        "169.254.0.0/16",  # link-local: the metadata services of other clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # Teredo, which contains an IPv4 address, and other protocols
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which contains an IPv4 address
        "3fff::/20",  # documentation
    )
]
# All of IPv6 that is allocated: without loopback, link-local, site-local, ULA and multicast.
UNICAST_6 = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")


def is_public_address(address: IPv4Address | IPv6Address) -> bool:
    """Return whether the address is public. Mapped IPv4 counts as IPv4; a zone is never public."""
    meant = unwrap_public_address(address)
    if isinstance(meant, IPv6Address) and (meant.scope_id is not None or meant not in UNICAST_6):
        return False
    return meant.is_global and not any(meant in network for network in NOT_PUBLIC)


def unwrap_public_address(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address inside an IPv4-mapped or NAT64 address; others unchanged."""
    if isinstance(address, IPv4Address) or address.scope_id is not None:
        return address
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address
