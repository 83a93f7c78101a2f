"""Parse a URL, strictly: what parsers disagree on is refused."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from jobs.outbound.hosts import host_of

MAX_URL_CHARS = 8_000  # the minimum in RFC 9110, 4.1; signed URLs are long
USUAL_PORTS = {"http": 80, "https": 443}
URL = re.compile(r"(?P<scheme>[^:/?#]+)://(?P<authority>[^/?#]*)(?P<path>[^#]*)(#.*)?")
AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]+)(:(?P<port>[0-9]{0,5}))?")
# Controls, surrogates and line ends: no URL has them, and parsers disagree on where one with them
# ends. The same goes for the ASCII space; other spaces are treated as letters.
ODD_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
# Allowed in a path or query by RFC 3986, besides letters, digits and -._~
IN_PATHS = "!$&'()*+,;=:@/?%"
LIKE_A_HOST = re.compile("^//[^/?]*")
QUERY_OR_FRAGMENT = re.compile("[?#]")
STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


class BadUrl(ValueError):
    """The URL is invalid. The message is one sentence for people, without the URL."""


@dataclass(frozen=True)
class ParsedUrl:
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


def parse_url(url: str) -> ParsedUrl:
    if len(url) > MAX_URL_CHARS:
        raise BadUrl(f"Use at most {MAX_URL_CHARS:,} characters.")
    refuse_odd_url(url)
    parts = URL.fullmatch(url)
    if not parts or (scheme := parts["scheme"].lower()) not in USUAL_PORTS:
        raise BadUrl("Enter a web address that starts with http:// or https://.")
    if "@" in parts["authority"]:
        raise BadUrl("Remove the user name and password from the web address.")
    host, port = _host_and_port(parts["authority"])
    return ParsedUrl(scheme, host, port or USUAL_PORTS[scheme], _as_sent(parts["path"]))


def refuse_odd_url(text: str) -> None:
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
