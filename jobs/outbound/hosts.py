"""Parse host names and addresses, and the list of private hosts that are allowed.

Each host has one canonical form, so that the host that is checked is the one that is connected to.
Nothing here uses the network.
"""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import idna

from jobs.lib.addresses import Address, Network
from jobs.outbound.public_addresses import unwrap_public_address

MAX_HOST_CHARS = 253  # of a DNS name
# Wider than the rules for host names: names with an underscore, or a hyphen at the end of a label,
# are in use.
_LABEL = "[a-z0-9_-]{1,63}"
NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# No name ends so, but every form of IPv4 address in the C library does: 0x7f.1, 017700000001.
ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
ACE = "xn--"
JOINERS = "\u200c\u200d"
RIGHT_TO_LEFT = {"R", "AL", "AN"}
NEVER_PUBLIC = ("localhost", "local", "internal")


def host_of(text: str) -> str:
    """Return the canonical form of a host: a name in lower-case ASCII, or an address.

    IPv6 has brackets in the text, and none in the result. Raises ValueError.
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
    """Encode a name as browsers do: UTS 46, as in "domain to ASCII" of the URL standard.

    `idna.encode` rejects names that are in use: i❤.example, r3---sn.example, a-.example.
    Raises UnicodeError, a ValueError.
    """
    if len(text) > MAX_HOST_CHARS:
        return text
    labels = idna.uts46_remap(text, std3_rules=False).split(".")
    names = [_decoded(each) for each in labels]
    if any(unicodedata.bidirectional(char) in RIGHT_TO_LEFT for name in names for char in name):
        for name in filter(None, names):
            idna.check_bidi(name, check_ltr=True)
    return ".".join(_encoded(name, label) for name, label in zip(names, labels, strict=True))


def _decoded(label: str) -> str:
    """Return the label in Unicode. Raises UnicodeError if it is invalid (UTS 46, 4.1)."""
    name = label
    if label.startswith(ACE):
        name = label.removeprefix(ACE).encode("ascii").decode("punycode")
        if not name or name.isascii() or idna.uts46_remap(name, std3_rules=False) != name:
            raise UnicodeError("a label that encodes what is not valid")
    if name.isascii():
        return name
    idna.check_initial_combiner(name)
    for position, char in enumerate(name):
        if char in JOINERS and not idna.valid_contextj(name, position):
            raise UnicodeError("a joiner where none may be")
    return name


def _encoded(name: str, label: str) -> str:
    if name.isascii():
        return name
    encoded = ACE + name.encode("punycode").decode("ascii")
    if label.startswith(ACE) and encoded != label:
        raise UnicodeError("a label that is encoded in an unusual way")
    return encoded


def host_address(host: str) -> Address | None:
    """Return the IP address, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_local_host(name: str) -> bool:
    """Return whether the name is local by definition, such as localhost."""
    return name.rpartition(".")[2] in NEVER_PUBLIC


@dataclass(frozen=True)
class HostAllowance:
    """Private hosts that requests may go to, by name or by address."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    def has_name(self, host: str) -> bool:
        """Return whether the host is allowed by name."""
        return host in self.names

    def has_address(self, address: Address) -> bool:
        """Return whether the address is allowed. One with a zone never is."""
        if getattr(address, "scope_id", None) is not None:
            return False
        return any(unwrap_public_address(address) in network for network in self.networks)


def parse_host_allowance(entries: Sequence[str]) -> HostAllowance:
    """Parse names, addresses and networks. Raises ValueError."""
    parsed = [_entry(text) for text in entries]
    return HostAllowance(
        names=frozenset(each for each in parsed if isinstance(each, str)),
        networks=tuple(each for each in parsed if not isinstance(each, str)),
    )


def _entry(text: str) -> str | Network:
    with suppress(ValueError):
        return ip_network(text)
    with suppress(ValueError):
        if not host_address(name := host_of(text)):  # not 10.0.1, probably a typo
            return name
    raise ValueError(f"{text!r} is neither a name, an address nor a network")
