"""Which addresses a link may lead to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.outbound.public_addresses import is_public_address

THE_SAME_EACH_TIME = hypothesis.settings(derandomize=True, deadline=None, max_examples=150)

# The special ranges of the IANA registries: the first and last address of each is tested.
NOT_PUBLIC_4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "100.100.100.200/32",  # metadata of a cloud
    "169.254.169.254/32",  # metadata of most clouds
    "192.0.0.9/32",  # Python 3.13 considers this one and the next global
    "192.0.0.10/32",
    "192.0.0.192/32",  # metadata of another cloud
]
NOT_PUBLIC_6 = [
    "::/128",
    "::1/128",
    "::/96",  # IPv4-compatible: ::127.0.0.1
    "::ffff:0:0:0/96",  # IPv4-translated
    "64:ff9b:1::/48",  # local-use NAT64
    "100::/64",  # discard-only
    "2001::/23",
    "2001::/32",  # Teredo
    "2001:1::1/128",
    "2001:2::/48",  # benchmarks
    "2001:10::/28",
    "2001:20::/28",  # ORCHID
    "2001:db8::/32",
    "2002::/16",
    "2002:7f00:1::/48",  # 6to4 to 127.0.0.1
    "2002:808:808::/48",
    "3fff::/20",
    "4000::/3",
    "5f00::/16",  # segment routing
    "fc00::/7",
    "fd00:ec2::254/128",  # metadata of a cloud
    "fd20:ce::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "ff0e::1/128",  # multicast with global scope
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.31.196.1",
    "192.88.98.255",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2000::",
    "2001:200::",
    "2001:4860:4860::8888",
    "2003::",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80e::200e",
    "3fff:1000::",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
RANGES_4 = [IPv4Network(text) for text in NOT_PUBLIC_4]
RANGES_6 = [IPv6Network(text) for text in NOT_PUBLIC_6]
IPV4 = st.ip_addresses(v=4)


@pytest.mark.parametrize("text", NOT_PUBLIC_4 + NOT_PUBLIC_6)
def test_no_special_range_is_public(text: str) -> None:
    network = ip_network(text)

    assert not is_public_address(network[0])
    assert not is_public_address(network[-1])


@pytest.mark.parametrize("text", PUBLIC)
def test_neighbours_of_special_ranges_are_public(text: str) -> None:
    assert is_public_address(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::ffff:169.254.169.254",
        "::ffff:100.64.0.1",
        "::ffff:224.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::192.0.0.9",
        "64:ff9b::168.63.129.16",
    ],
)
def test_an_embedded_private_ipv4_is_not_public(text: str) -> None:
    assert not is_public_address(ip_address(text))


@pytest.mark.parametrize("text", ["fe80::1", "::1", "2606:4700::1", "::ffff:8.8.8.8"])
def test_an_address_with_a_zone_is_not_public(text: str) -> None:
    assert not is_public_address(IPv6Address(f"{text}%eth0"))


@THE_SAME_EACH_TIME
@given(st.sampled_from(RANGES_4).flatmap(lambda network: st.ip_addresses(network=network)))
def test_a_private_address_is_never_public_however_embedded(address: IPv4Address) -> None:
    mapped, nat64 = IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")

    assert not any(map(is_public_address, [address, mapped, nat64]))


@THE_SAME_EACH_TIME
@given(st.sampled_from(RANGES_6).flatmap(lambda network: st.ip_addresses(network=network)))
def test_a_private_ipv6_is_never_public(address: IPv6Address) -> None:
    assert not is_public_address(address)


@THE_SAME_EACH_TIME
@given(IPV4)
def test_an_ipv4_is_public_only_outside_the_special_ranges(address: IPv4Address) -> None:
    assert is_public_address(address) is not any(address in network for network in RANGES_4)


@THE_SAME_EACH_TIME
@given(IPV4)
def test_an_embedded_ipv4_is_judged_like_a_plain_one(address: IPv4Address) -> None:
    wrapped = [IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")]

    assert {is_public_address(each) for each in wrapped} == {is_public_address(address)}
