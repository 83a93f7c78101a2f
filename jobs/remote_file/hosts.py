"""Which host a text names, however it is written, and whether it may be anything but public.

Each host gets one spelling here, so that what is judged is what is connected to. Asks no server.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import idna

from jobs.addresses import Address, Network
from jobs.public_addresses import unwrapped

MAX_HOST_CHARS = 253  # of a name in the DNS
# More than the DNS promises and no more than it carries: names with an underscore are in use.
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# No name ends so, but all that the C library takes for an IPv4 address does: 0x7f.1, 017700000001.
ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
NEVER_PUBLIC = ("localhost", "local", "internal")


def host_of(text: str) -> str:
    """A name in ASCII and lower case, without a dot at its end, or an address as usually written.

    IPv6 is read in brackets and given without. Raises ValueError for what is neither.
    """
    if text.startswith("["):
        return str(IPv6Address(text.removeprefix("[").removesuffix("]")))
    name = _as_ascii(text).lower().removesuffix(".")
    if len(name) > MAX_HOST_CHARS or not NAME.fullmatch(name):
        raise ValueError("neither a name nor an address")
    if not ENDS_IN_A_NUMBER.fullmatch(name):
        return name
    try:
        return str(IPv4Address(socket.inet_aton(name)))
    except OSError as error:
        raise ValueError("an address with a number too many or too large") from error


def _as_ascii(text: str) -> str:
    """Raises UnicodeError, a ValueError.

    What is ASCII is left alone: `idna` refuses names that are in use, as r3---sn.example.
    """
    if text.isascii() or len(text) > MAX_HOST_CHARS:
        return text
    return idna.encode(text, uts46=True).decode("ascii")


def address_in(host: str) -> Address | None:
    """None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_never_public(name: str) -> bool:
    """Known without asking: it is this machine, or somebody's own network."""
    return name.rpartition(".")[2] in NEVER_PUBLIC


@dataclass(frozen=True)
class Allowance:
    """Hosts that may be asked though they are not public, by name or by address."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    def has_name(self, host: str) -> bool:
        return host in self.names

    def has_address(self, address: Address) -> bool:
        """An address with a zone is in no network."""
        if getattr(address, "scope_id", None) is not None:
            return False
        return any(unwrapped(address) in network for network in self.networks)


def allowance(entries: Sequence[str]) -> Allowance:
    """Of names, addresses and networks. Raises ValueError for what is none."""
    read = [_entry(text) for text in entries]
    return Allowance(
        names=frozenset(each for each in read if isinstance(each, str)),
        networks=tuple(each for each in read if not isinstance(each, str)),
    )


def _entry(text: str) -> str | Network:
    with suppress(ValueError):
        return ip_network(text)
    with suppress(ValueError):
        if not address_in(name := host_of(text)):  # 10.0.1 would be one, and is a typo
            return name
    raise ValueError(f"{text!r} is neither a name, an address nor a network")
