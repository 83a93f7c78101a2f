"""Limits of request bodies, and reading a whole body before the application runs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from django.conf import settings

from downloads_project.web_server.clients import Scope, client_key
from downloads_project.web_server.refusals import TOO_LARGE, Refused

Receive = Callable[[], Awaitable[Any]]
KIB = 1024


class Limit(NamedTuple):
    """The longest body of a path, and whether a form with a file may be longer."""

    most_bytes: int
    takes_files: bool


# By the beginning of the path; the first match counts.
LIMITS: list[tuple[re.Pattern[str], Limit]] = [
    (re.compile(r"/v1/auth/"), Limit(8 * KIB, takes_files=False)),
    # A request may name 1,000 dependencies.
    (re.compile(r"/v1/download/check$"), Limit(128 * KIB, takes_files=False)),
    (re.compile(r"/v1/download/[^/]+/retry$"), Limit(128 * KIB, takes_files=False)),
    (re.compile(r"/(downloads|reports|admin/retry)(/|$)"), Limit(128 * KIB, takes_files=False)),
    (re.compile(r"/upload/chunked"), Limit(128 * KIB, takes_files=True)),
]


class ClientGone(ConnectionError):
    """The client has disconnected."""


def body_limit(path: str) -> Limit:
    """Return the limit of a path; by default that of JSON."""
    for pattern, limit in LIMITS:
        if pattern.match(path):
            return limit
    return Limit(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, takes_files=True)


async def bounded_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the whole body.

    Raises Refused if it is too long, too slow or invalid, or if its client has too many bytes in
    memory; ClientGone if it is incomplete. The bytes count until the response is sent.
    """
    request, who = scope["extensions"]["web_server"], client_key(scope)
    if (request.content_length or 0) > max_bytes:
        raise Refused(TOO_LARGE)
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > max_bytes:
            raise Refused(TOO_LARGE)
        request.hold(who, size)
        pieces.append(piece)
    return b"".join(pieces)
