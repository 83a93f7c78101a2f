"""How a JSON body is read: bounded, strict, and without a database connection in hand.

What a hostile body costs is bounded, too: its bytes by the view, its names, lists and depth here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import IO, Any

from django.http import UnreadablePostError
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from jobs.lib.database import release_connection
from jobs.web.problems import Problem
from jobs.web.request_limits import content_coding, max_body_bytes

MAX_NAMES = 100  # of all objects of a body together; the longest request has a dozen
MAX_NAME_CHARS = 100
MAX_DEPTH = 10  # a request has two levels
# Brackets, braces and colons, those in strings included: two links may have 2,000 each.
MAX_MARKS = 10_000
TOO_DEEP = "The JSON is nested too deeply."


class StrictJSONParser(BaseParser):
    """Refuses what Python lets pass: a name twice, NaN, half characters, bottomless nests.

    No JSONParser: DRF reads the whole body for one before it asks it.
    """

    media_type = "application/json"
    renderer_class = JSONRenderer  # of the browsable API's form

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        # DRF takes a wildcard for what it might be.
        if media_type and "*" in media_type.partition(";")[0]:
            raise UnsupportedMediaType(media_type)
        release_connection()  # a body may come slowly
        context = parser_context or {}
        most = max_body_bytes(context.get("view"))
        if "request" in context:
            _check_headers(context["request"], most)
        return loads(_read(stream, most))


def loads(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises ParseError."""
    opened = body.count(b"[") + body.count(b"{")
    if opened > MAX_MARKS or body.count(b":") > MAX_MARKS:
        raise ParseError("The JSON has too many lists, objects or names.")
    try:
        # Of bytes, json would guess UTF-16 and UTF-32, which a proxy in between does not read.
        found = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_Objects(), parse_constant=_no_constant
        )
        if opened > MAX_DEPTH or b"\\u" in body:  # else there is nothing to find
            _check_inside([found], MAX_DEPTH)
    except RecursionError as error:
        raise ParseError(TOO_DEEP) from error
    except ValueError as error:  # Unicode errors are, too
        raise ParseError("The body is not valid JSON.") from error
    return found


def _check_headers(request: Request, most: int) -> None:
    """Before a byte is read: the client is told, and need not send it all."""
    if coding := content_coding(request.META):
        raise UnsupportedMediaType(coding, "Send the body as it is, without Content-Encoding.")
    _check_size(int(request.META.get("CONTENT_LENGTH") or 0), most)


def _read(stream: IO[Any], most: int) -> bytes:
    try:
        body: bytes = stream.read(most + 1)
    except UnreadablePostError as error:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "slow_body", "The body did not come.") from error
    _check_size(len(body), most)
    return body


def _check_size(size_bytes: int, most: int) -> None:
    if size_bytes > most:
        sentence = f"A body has at most {most:,} bytes."
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence)


class _Objects:
    """Makes the objects of one body, the innermost first, and counts their names."""

    def __init__(self) -> None:
        self._names = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._names += len(pairs)
        if self._names > MAX_NAMES:
            raise ParseError(f"The JSON has more than {MAX_NAMES} names.")
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name twice")
        if any(len(name) > MAX_NAME_CHARS for name in found):
            raise ParseError(f"The JSON has a name of more than {MAX_NAME_CHARS} characters.")
        return found


def _check_inside(values: Iterable[Any], levels: int) -> None:
    """Refuse more levels, and half of a surrogate pair, which can only come as an escape."""
    for each in values:
        if isinstance(each, str):
            each.encode()
        elif isinstance(each, list | dict):
            if not levels:
                raise ParseError(TOO_DEEP)
            inside = [*each, *each.values()] if isinstance(each, dict) else each
            _check_inside(inside, levels - 1)


def _no_constant(name: str) -> None:
    raise ValueError(name)
