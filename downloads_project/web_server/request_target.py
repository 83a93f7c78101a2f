"""The target of a request line: path, query and host (RFC 9112, 3.2)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from downloads_project.web_server.refusals import INVALID, Refused

ORIGIN = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
WEB_HOST = re.compile(rb"https?://[^@/?#]+", re.IGNORECASE)  # names no user (RFC 9110 4.2.4)


def request_target_path(target: bytes) -> bytes:
    """Return the path of a target that may not be valid, for the log: no query, no user's name."""
    origin = ORIGIN.match(target)
    return re.split(rb"[?#]", target[origin.end() :] if origin else target)[0] or b"/"


def parse_request_target(target: bytes) -> tuple[bytes, str, bytes, bytes]:
    """Return the path as it came, the path decoded, the query, and the host if it names one."""
    if not target.isascii():  # the parser takes care of blanks and controls
        raise Refused(INVALID)
    host = b""
    if not target.startswith(b"/") and (origin := ORIGIN.match(target)):
        if not WEB_HOST.fullmatch(origin[0]):
            raise Refused(INVALID)
        host, target = origin[1], target[origin.end() :]
    if b"#" in target:
        target = target.partition(b"#")[0]
    raw_path, _, query = target.partition(b"?")
    raw_path = raw_path or b"/"
    path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    return raw_path, path.decode("utf-8", "replace"), query, host
