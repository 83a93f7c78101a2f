"""Check where a URL leads, and resolve its name, each only once.

Connections use the result. Nothing else parses the URL or resolves the name again, so a different
parser or a different DNS response cannot bypass the check.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

import structlog
from django.conf import settings

from jobs.errors import BlockedAddress, BlockedRedirect, RemoteUnavailable
from jobs.lib.addresses import Address
from jobs.outbound.hosts import address_in, allowance, is_never_public
from jobs.outbound.public_addresses import is_public
from jobs.outbound.url_parser import Target, parse, refuse_odd
from jobs.outbound.url_references import resolve, text_of

log = structlog.get_logger(__name__)


def target_of(url: str) -> Target:
    """Parse and check a URL, without network access. Raises BadUrl, BlockedAddress."""
    return _checked(parse(url))


def joined(target: Target, location: str) -> Target:
    """Return the target of a redirect, from its raw Location. Raises BlockedRedirect."""
    try:
        text = text_of(location)
        refuse_odd(text)
        return _checked(parse(resolve(target, text)))
    except (ValueError, BlockedAddress) as error:
        sentence = f"{target.host} redirected to an address that we don't fetch from."
        raise BlockedRedirect(sentence) from error


def addresses_of(target: Target) -> list[str]:
    """Resolve the name, which may take half a minute. Return the addresses in the resolver's order.

    Raises RemoteUnavailable if there are none, or if one of them is private. The message is the
    same for both: otherwise it would reveal the names in a private network.
    """
    sentence = f"We couldn't find a public address for {target.host}."
    try:
        answers = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RemoteUnavailable(sentence) from error
    found = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))
    if not found:
        raise RemoteUnavailable(sentence)
    if not all(_may_connect(target.host, ip_address(each)) for each in found):
        log.warning("name leads into a private network", host=target.host)
        raise RemoteUnavailable(sentence)
    return found


def _checked(target: Target) -> Target:
    """Raises BlockedAddress if the URL itself shows that the target is not allowed."""
    address = address_in(target.host)
    allowed = allowance(settings.REMOTE_ALLOWED_PRIVATE_HOSTS)
    if allowed.has_name(target.host) or (address and allowed.has_address(address)):
        return target
    if is_never_public(target.host) or (address and not is_public(address)):
        raise BlockedAddress(f"{target.host} is not on the public internet.")
    if target.port not in settings.REMOTE_PORTS:
        raise BlockedAddress(f"We don't fetch from port {target.port} of {target.host}.")
    return target


def _may_connect(host: str, address: Address) -> bool:
    allowed = allowance(settings.REMOTE_ALLOWED_PRIVATE_HOSTS)
    return is_public(address) or allowed.has_name(host) or allowed.has_address(address)
