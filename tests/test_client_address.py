"""The address of a request's client, behind trusted and untrusted proxies."""

from __future__ import annotations

import pytest

from jobs.lib.addresses import (
    client_address,
    client_address_key,
    parse_address,
    parse_address_networks,
)

PROXIES = parse_address_networks(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),  # no proxy sends this
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),  # the client forged the first one
        ("10.0.0.1", "1.2.3.4,203.0.113.9 , 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # all trusted: a client inside
        ("10.0.0.1", "1.2.3.4, garbage", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, ", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "127.0.0.1\u0000", "10.0.0.1"),
    ],
)
def test_behind_trusted_networks(peer: str, forwarded: str, client: str) -> None:
    assert str(client_address(peer, forwarded, trusted=PROXIES)) == client


@pytest.mark.parametrize(
    ("hops", "forwarded", "client"),
    [
        (0, "1.2.3.4", "192.0.2.1"),
        (1, "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        (2, "1.2.3.4, 203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (2, "", "192.0.2.1"),
        (2, "1.2.3.4, x, 198.51.100.7", "198.51.100.7"),
    ],
)
def test_behind_a_number_of_proxies(hops: int, forwarded: str, client: str) -> None:
    assert str(client_address("192.0.2.1", forwarded, hops=hops)) == client


def test_a_unix_socket_has_only_the_forwarded_address() -> None:
    assert client_address("", "203.0.113.9") is None
    assert str(client_address("", "203.0.113.9", hops=1)) == "203.0.113.9"


def test_addresses_of_one_ipv6_network_are_one_client() -> None:
    one, other = parse_address("2001:db8::1"), parse_address("2001:db8::ffff:2")

    assert client_address_key(one) == client_address_key(other) == "2001:db8::/64"
    assert client_address_key(parse_address("203.0.113.9")) == "203.0.113.9"
    assert client_address_key(None) == "unknown"


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "proxy", "", "10.0.0.0/8 x"])
def test_an_invalid_network_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_address_networks([text])
