"""How long a request's body may be, and how it is read whole before anybody works on it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from django.conf import settings

from downloads_project.web_server.clients import Scope, client
from downloads_project.web_server.refusals import TOO_LARGE, Refused

Receive = Callable[[], Awaitable[Any]]
KIB = 1024


class Limit(NamedTuple):
    """The longest body of an address, and whether a form with a file may be longer."""

    most_bytes: int
    takes_files: bool


# By the beginning of an address; the first that fits counts.
LIMITS: list[tuple[re.Pattern[str], Limit]] = [
    (re.compile(r"/v1/auth/"), Limit(8 * KIB, takes_files=False)),
    # A request names up to 1,000 jobs that it waits for.
    (re.compile(r"/v1/download/check$"), Limit(128 * KIB, takes_files=False)),
    (re.compile(r"/v1/download/[^/]+/retry$"), Limit(128 * KIB, takes_files=False)),
    (re.compile(r"/(downloads|reports|admin/retry)(/|$)"), Limit(128 * KIB, takes_files=False)),
    (re.compile(r"/upload/chunked"), Limit(128 * KIB, takes_files=True)),
]


class ClientGone(ConnectionError):
    """The client hung up: there is nobody to answer."""


def limit_of(path: str) -> Limit:
    """Return the limit of an address; as long as JSON may be where none is listed."""
    for pattern, limit in LIMITS:
        if pattern.match(path):
            return limit
    return Limit(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, takes_files=True)


async def bounded_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Read the whole body.

    Raises Refused where it is longer, comes too slowly or is broken, or where its client holds
    too much memory already; ClientGone where it breaks off. The memory counts as held until the
    request is answered.
    """
    request, who = scope["extensions"]["web_server"], client(scope)
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
