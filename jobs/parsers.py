"""How a JSON body is read: bounded, strict, and without a database connection in hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from jobs.patience import give_back_connection
from jobs.problems import Problem


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
        give_back_connection()  # a body may come slowly
        if parser_context:
            _check_headers(parser_context["request"])
        body = _read(stream)
        try:
            # Of bytes, json would guess UTF-16 and UTF-32, which a proxy in between does not read.
            found = json.loads(
                body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant
            )
            json.dumps(found, ensure_ascii=False).encode()  # fails on half a surrogate pair
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except ValueError as error:  # Unicode errors are, too
            raise ParseError("The body is not valid JSON.") from error
        return found


def _check_headers(request: Request) -> None:
    """Before a byte is read: the client is told, and need not send it all."""
    if (coding := request.headers.get("Content-Encoding", "identity")) != "identity":
        raise UnsupportedMediaType(coding, "Send the body as it is, without Content-Encoding.")
    _check_size(int(request.META.get("CONTENT_LENGTH") or 0))


def _read(stream: IO[Any]) -> bytes:
    try:
        body: bytes = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    except UnreadablePostError as error:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "slow_body", "The body did not come.") from error
    _check_size(len(body))
    return body


def _check_size(size_bytes: int) -> None:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if size_bytes > most:
        sentence = f"A body has at most {most:,} bytes."
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)
