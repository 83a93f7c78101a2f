"""Parse a URL, check it, and resolve its name, each only once.

Connections use the result. Nothing else parses the URL or resolves the name again, so a different
parser or a different DNS response cannot bypass the check.
"""

from __future__ import annotations

import re
import socket
import unicodedata
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote, unquote

import structlog
from django.conf import settings

from jobs.errors import BlockedAddress, BlockedRedirect, RemoteUnavailable
from jobs.lib.addresses import Address
from jobs.outbound.hosts import address_in, allowance, host_of, is_never_public
from jobs.outbound.public_addresses import is_public

MAX_URL_CHARS = 8_000  # the minimum in RFC 9110, 4.1; signed URLs are long
USUAL_PORTS = {"http": 80, "https": 443}
URL = re.compile(r"(?P<scheme>[^:/?#]+)://(?P<authority>[^/?#]*)(?P<path>[^#]*)(#.*)?")
# RFC 3986, appendix B.
REFERENCE = re.compile(
    r"((?P<scheme>[^:/?#]+):)?(//(?P<authority>[^/?#]*))?(?P<path>[^?#]*)(?P<query>\?[^#]*)?(#.*)?"
)
AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]+)(:(?P<port>[0-9]{0,5}))?")
# Controls, surrogates and line ends: no URL has them, and parsers disagree on where one with them
# ends. The same goes for the ASCII space; other spaces are treated as letters.
ODD_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
# Allowed in a path or query by RFC 3986, besides letters, digits and -._~
IN_PATHS = "!$&'()*+,;=:@/?%"
NOT_ASCII = re.compile(rb"[\x80-\xff]")
LIKE_A_HOST = re.compile("^//[^/?]*")
DOTS, TWO_DOTS = {".", "%2e"}, {"..", ".%2e", "%2e.", "%2e%2e"}
QUERY_OR_FRAGMENT = re.compile("[?#]")
STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")

log = structlog.get_logger(__name__)


class BadUrl(ValueError):
    """The URL is invalid. The message is one sentence for people, without the URL."""


@dataclass(frozen=True)
class Target:
    """A host, in canonical form, and a path on it. Its string has no path."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)  # with the query, which is often a secret

    def __str__(self) -> str:
        return self.origin

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host_header}"

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == USUAL_PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Parse and check a URL, without network access. Raises BadUrl, BlockedAddress."""
    return _checked(_parsed(url))


def joined(target: Target, location: str) -> Target:
    """Return the target of a redirect, from its raw Location. Raises BlockedRedirect."""
    try:
        text = _text_of(location)
        _refuse_odd(text)
        return _checked(_parsed(_resolved(target, text)))
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


def _resolved(base: Target, reference: str) -> str:
    """Resolve a reference by RFC 3986, 5.2.2. `urljoin` takes http:///path for a path."""
    parts = REFERENCE.fullmatch(reference)
    assert parts  # it matches any text without line ends
    query = parts["query"] or ""
    if parts["scheme"]:
        if parts["authority"] is None:
            raise BadUrl("Enter a web address that starts with http:// or https://.")
        origin = f"{parts['scheme']}://{parts['authority']}"
    elif parts["authority"] is not None:
        origin = f"{base.scheme}://{parts['authority']}"
    else:
        path, path_query, base_query = base.path.partition("?")
        origin = base.origin
        if not parts["path"]:
            return origin + path + (query or path_query + base_query)
        if not parts["path"].startswith("/"):
            merged = path.rpartition("/")[0] + "/" + parts["path"]
            return origin + _without_dots(merged) + query
    return origin + _without_dots(parts["path"]) + query


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986, 5.2.4), also percent-encoded ones, as browsers do."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment.lower() in TWO_DOTS:
            del kept[-1:]
        elif segment.lower() not in DOTS:
            kept.append(segment)
    if segments and segments[-1].lower() in DOTS | TWO_DOTS:
        kept.append("")  # the path of a folder
    return "/" + "/".join(kept) if segments else ""


def _text_of(location: str) -> str:
    """Decode a Location as browsers do: as UTF-8, or else percent-encode its bytes."""
    text = location.strip(" ").replace(" ", "%20")
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:  # it is decoded already
        return text
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return NOT_ASCII.sub(lambda byte: b"%%%02X" % ord(byte[0]), raw).decode()


def _parsed(url: str) -> Target:
    if len(url) > MAX_URL_CHARS:
        raise BadUrl(f"Use at most {MAX_URL_CHARS:,} characters.")
    _refuse_odd(url)
    parts = URL.fullmatch(url)
    if not parts or (scheme := parts["scheme"].lower()) not in USUAL_PORTS:
        raise BadUrl("Enter a web address that starts with http:// or https://.")
    if "@" in parts["authority"]:
        raise BadUrl("Remove the user name and password from the web address.")
    host, port = _host_and_port(parts["authority"])
    return Target(scheme, host, port or USUAL_PORTS[scheme], _as_sent(parts["path"]))


def _refuse_odd(text: str) -> None:
    is_odd = " " in text or any(unicodedata.category(char) in ODD_CATEGORIES for char in text)
    # A query may have backslashes: all parsers agree on where it begins.
    if is_odd or "\\" in QUERY_OR_FRAGMENT.split(text, maxsplit=1)[0]:
        raise BadUrl("Enter a valid web address.")


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """Return host and port; None if the port is missing or empty."""
    parts = AUTHORITY.fullmatch(authority)
    if not parts or (parts["port"] and not 0 < int(parts["port"]) < 2**16):
        raise BadUrl("Enter a web address with a host and a valid port.")
    try:
        host = host_of(_decoded(parts["host"]))
    except ValueError as error:
        raise BadUrl("Enter a web address with a valid host.") from error
    return host, int(parts["port"]) if parts["port"] else None


def _decoded(host: str) -> str:
    """Decode percent-encoded UTF-8 (RFC 3986, 3.2.2) once, before the host is judged.

    Raises ValueError.
    """
    if host.startswith("["):
        return host
    name = unquote(host, errors="strict")
    if name.startswith("["):
        raise ValueError("an address whose brackets are encoded")
    return name


def _as_sent(path: str) -> str:
    """Percent-encode a path with its query. A stray percent sign is encoded, too."""
    whole = path if path.startswith("/") else "/" + path
    sent = quote(STRAY_PERCENT.sub("%25", whole), safe=IN_PATHS)
    # urllib3 parses a path that begins with // as a host and port.
    return LIKE_A_HOST.sub(lambda found: found[0].replace(":", "%3A"), sent)


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
