"""Resolve the Location of a redirect against the URL that it came from (RFC 3986, 5.2)."""

from __future__ import annotations

import re

from jobs.outbound.url_parser import BadUrl, ParsedUrl

# RFC 3986, appendix B.
REFERENCE = re.compile(
    r"((?P<scheme>[^:/?#]+):)?(//(?P<authority>[^/?#]*))?(?P<path>[^?#]*)(?P<query>\?[^#]*)?(#.*)?"
)
NOT_ASCII = re.compile(rb"[\x80-\xff]")
DOTS, TWO_DOTS = {".", "%2e"}, {"..", ".%2e", "%2e.", "%2e%2e"}


def resolve_url_reference(base: ParsedUrl, reference: str) -> str:
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


def decode_url_reference(location: str) -> str:
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
