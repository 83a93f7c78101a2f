"""Which addresses belong to the public internet. Pure.

Strict, and no laxer on one Python than on another: what `ipaddress` calls global differs, and that
of 3.11 lets in multicast, fec0::/10, NAT64 and 6to4, whatever private address they lead to.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

# Of IANA's special-purpose registries what is no host of the internet, in full for IPv4.
NOT_PUBLIC = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # Linux takes 0.0.0.0 for itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # between a provider and its customers
        "127.0.0.0/8",
        "168.63.129.16/32",  # in no registry: Azure's machines get their secrets from there
        "169.254.0.0/16",  # link-local; those of other clouds do
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
        "2001::/23",  # Teredo, which hides an IPv4, and other protocols
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which hides an IPv4
        "3fff::/20",  # documentation
    )
]
# All of IPv6 that is given out: loopback, link-local, site-local, ULA and multicast lie outside.
UNICAST_6 = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """False in doubt, as for an address with a zone. What leads to an IPv4 is judged as that."""
    meant = unwrapped(address)
    if isinstance(meant, IPv6Address) and (meant.scope_id is not None or meant not in UNICAST_6):
        return False
    return meant.is_global and not any(meant in network for network in NOT_PUBLIC)


def unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 that an IPv4-mapped or NAT64 address without a zone leads to; any other as it is."""
    if isinstance(address, IPv4Address) or address.scope_id is not None:
        return address
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address
