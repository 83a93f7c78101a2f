"""Parse JSON bodies strictly, within limits, and without holding a database connection.

The view limits the bytes of a body; this module limits its names, lists and depth.
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

from jobs.lib.database import release_database_connection
from jobs.web.problems import Problem
from jobs.web.request_limits import request_body_limit, request_content_coding

MAX_NAMES = 100  # of all objects in a body; the longest valid request has a dozen
MAX_NAME_CHARS = 100
MAX_DEPTH = 10  # a valid request has two levels
# Brackets, braces and colons, also in strings: two links may have 2,000 each.
MAX_MARKS = 10_000
TOO_DEEP = "The JSON is nested too deeply."


class StrictJSONParser(BaseParser):
    """Rejects what Python accepts: duplicate names, NaN, lone surrogates, deep nesting.

    Not a subclass of JSONParser: DRF would read the whole body before it calls one.
    """

    media_type = "application/json"
    renderer_class = JSONRenderer  # of the browsable API's form

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        # DRF lets a wildcard match.
        if media_type and "*" in media_type.partition(";")[0]:
            raise UnsupportedMediaType(media_type)
        release_database_connection()  # a body may come slowly
        context = parser_context or {}
        max_bytes = request_body_limit(context.get("view"))
        if "request" in context:
            _check_headers(context["request"], max_bytes)
        return parse_json(_read(stream, max_bytes))


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8. Raises ParseError."""
    opened = body.count(b"[") + body.count(b"{")
    if opened > MAX_MARKS or body.count(b":") > MAX_MARKS:
        raise ParseError("The JSON has too many lists, objects or names.")
    try:
        # From bytes, json would also detect UTF-16 and UTF-32, which a proxy may not expect.
        found = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_Objects(), parse_constant=_no_constant
        )
        if opened > MAX_DEPTH or b"\\u" in body:  # else there can be nothing wrong
            _check_inside([found], MAX_DEPTH)
    except RecursionError as error:
        raise ParseError(TOO_DEEP) from error
    except ValueError as error:  # Unicode errors are, too
        raise ParseError("The body is not valid JSON.") from error
    return found


def _check_headers(request: Request, max_bytes: int) -> None:
    """Reject a body before reading it, so that the client need not send all of it."""
    if coding := request_content_coding(request.META):
        raise UnsupportedMediaType(coding, "Send the body without Content-Encoding.")
    _check_size(int(request.META.get("CONTENT_LENGTH") or 0), max_bytes)


def _read(stream: IO[Any], max_bytes: int) -> bytes:
    try:
        body: bytes = stream.read(max_bytes + 1)
    except UnreadablePostError as error:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT, "slow_body", "The body did not arrive."
        ) from error
    _check_size(len(body), max_bytes)
    return body


def _check_size(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        sentence = f"A body has at most {max_bytes:,} bytes."
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence)


class _Objects:
    """Builds the objects of one body, the innermost first, and counts their names."""

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
    """Reject deeper nesting, and lone surrogates, which only an escape can make."""
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
