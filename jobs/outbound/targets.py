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
from jobs.outbound.hosts import host_address, is_local_host, parse_host_allowance
from jobs.outbound.public_addresses import is_public_address
from jobs.outbound.url_parser import ParsedUrl, parse_url, refuse_odd_url
from jobs.outbound.url_references import decode_url_reference, resolve_url_reference

log = structlog.get_logger(__name__)


def target_of(url: str) -> ParsedUrl:
    """Parse and check a URL, without network access. Raises BadUrl, BlockedAddress."""
    return _checked(parse_url(url))


def join_target(target: ParsedUrl, location: str) -> ParsedUrl:
    """Return the target of a redirect, from its raw Location. Raises BlockedRedirect."""
    try:
        text = decode_url_reference(location)
        refuse_odd_url(text)
        return _checked(parse_url(resolve_url_reference(target, text)))
    except (ValueError, BlockedAddress) as error:
        sentence = f"{target.host} redirected to an address that we don't fetch from."
        raise BlockedRedirect(sentence) from error


def target_addresses(target: ParsedUrl) -> list[str]:
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


def _checked(target: ParsedUrl) -> ParsedUrl:
    """Raises BlockedAddress if the URL itself shows that the target is not allowed."""
    address = host_address(target.host)
    allowed = parse_host_allowance(settings.REMOTE_ALLOWED_PRIVATE_HOSTS)
    if allowed.has_name(target.host) or (address and allowed.has_address(address)):
        return target
    if is_local_host(target.host) or (address and not is_public_address(address)):
        raise BlockedAddress(f"{target.host} is not on the public internet.")
    if target.port not in settings.REMOTE_PORTS:
        raise BlockedAddress(f"We don't fetch from port {target.port} of {target.host}.")
    return target


def _may_connect(host: str, address: Address) -> bool:
    allowed = parse_host_allowance(settings.REMOTE_ALLOWED_PRIVATE_HOSTS)
    return is_public_address(address) or allowed.has_name(host) or allowed.has_address(address)
