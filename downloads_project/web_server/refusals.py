"""Responses to requests that do not reach the application: problems (RFC 9457), never pages.

Imports neither settings nor jobs: gunicorn's main process loads this and never reloads it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus as S

import gunicorn_h1c


@dataclass(frozen=True)
class Refusal:
    """A status, a code for programs, a sentence for people. Never contains input of the client."""

    status: S
    code: str
    detail: str
    headers: tuple[str, ...] = ()

    def body(self, request_id: str) -> bytes:
        """Return the body of a problem, as jobs.web.error_responses.error_response_body does."""
        title = self.status.phrase
        members = {"type": "about:blank", "title": title, "status": self.status}
        members |= {"detail": self.detail, "code": self.code, "requestId": request_id}
        return json.dumps(members | {"error": title}).encode()

    def response(self, request_id: str) -> bytes:
        body = self.body(request_id)
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Date: {formatdate(usegmt=True)}",
            "Connection: close",
            "Content-Type: application/problem+json",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            f"X-Request-ID: {request_id}",
            *self.headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Refused(Exception):
    """Raised to answer a request with a refusal and close the connection."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


INVALID = Refusal(S.BAD_REQUEST, "invalid", "The request is not valid HTTP.")
SLOW_HEADERS = Refusal(S.REQUEST_TIMEOUT, "slow_headers", "The request did not arrive in time.")
SLOW_BODY = Refusal(S.REQUEST_TIMEOUT, "slow_body", "The body did not arrive in time.")
TOO_LARGE = Refusal(S.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is too large.")
ADDRESS_TOO_LONG = Refusal(S.REQUEST_URI_TOO_LONG, "address_too_long", "The URL is too long.")
EXPECTATION = Refusal(
    S.EXPECTATION_FAILED, "expectation_failed", "Only `Expect: 100-continue` is supported."
)
HEADERS_TOO_LARGE = Refusal(
    S.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers_too_large",
    "There are too many headers, or they are too long.",
)
INTERNAL = Refusal(S.INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
TRANSFER_CODING = Refusal(
    S.NOT_IMPLEMENTED,
    "unsupported_transfer_coding",
    "Only the transfer coding `chunked` is supported.",
)
OVERLOADED = Refusal(S.SERVICE_UNAVAILABLE, "overloaded", "Try again soon.", ("Retry-After: 5",))


def refusal_of(error: Exception) -> Refusal:
    """Return the refusal for an error of the parser; any other error is ours."""
    if isinstance(error, Refused):
        return error.refusal
    if isinstance(error, gunicorn_h1c.LimitRequestLine):
        return ADDRESS_TOO_LONG
    if isinstance(error, gunicorn_h1c.LimitRequestHeaders):
        return HEADERS_TOO_LARGE
    if str(error) == "Unsupported Transfer-Encoding":  # the parser has no class for it
        return TRANSFER_CODING
    return INVALID if isinstance(error, PARSE_ERRORS) else INTERNAL


# The parser's classes have no common base.
PARSE_ERRORS = (
    gunicorn_h1c.ParseError,
    gunicorn_h1c.InvalidChunkExtension,
    gunicorn_h1c._protocol.ParseError,
)
