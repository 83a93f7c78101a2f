"""Parse mail addresses for SMTP, and make Message-IDs. Nothing here uses the network."""

from __future__ import annotations

import re
import unicodedata
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr, unquote
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from jobs.outbound.hosts import host_address, host_of

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
DOT_ATOM = re.compile(rf"{ATOM}(\.{ATOM})*")  # RFC 5322, 3.2.3
NOT_ASCII = re.compile(r"[^\x00-\x7f]")
LITERAL = re.compile(r"@(\[[^\[\]\s]*\])(?=>?$)")  # the domain of user@[127.0.0.1]
DEFAULT_DOMAIN = "downloads.invalid"  # RFC 2606: never the name of a host


def parse_mail_address(text: str) -> Address:
    """Parse one mail address. Its domain is converted to ASCII, the local part is unchanged.

    Raises ValueError if it is not exactly one address.
    """
    # From 3.11.10 and 3.13 on, Python parses no address literal.
    literal = LITERAL.search(text := text.strip())
    text = LITERAL.sub(f"@{DEFAULT_DOMAIN}", text)
    name, address = parseaddr(text)
    is_whole = text == address or text.endswith(f"<{address}>")
    if not is_whole or any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ValueError("not one mail address")
    local_part, _, domain = address.rpartition("@")
    if literal:
        domain = literal[1]
    domain = domain if domain.isascii() else host_of(domain)
    try:
        # The parser accepts ASCII only. RFC 6532 allows other letters wherever ASCII letters are.
        parsed = Address(addr_spec=f"{NOT_ASCII.sub('x', local_part)}@{domain}")
    except (MessageError, IndexError) as error:
        raise ValueError("no mail address") from error
    username = parsed.username if local_part.isascii() else unquote(local_part)
    return Address(display_name=name, username=username, domain=domain)


def mailbox_message_id(unique: object, site: str) -> str:
    """Return '<unique@downloads.example.com>', valid for every site (RFC 5322, 3.6.4)."""
    return f"<{unique}@{_right_side(urlsplit(site).hostname or '')}>"


def _right_side(host: str) -> str:
    address = host_address(host.partition("%")[0])
    if address:
        return f"[IPv6:{address}]" if isinstance(address, IPv6Address) else f"[{address}]"
    try:
        name = (host if host.isascii() else host_of(host)).removesuffix(".")
    except ValueError:
        return DEFAULT_DOMAIN
    return name if DOT_ATOM.fullmatch(name) else DEFAULT_DOMAIN
