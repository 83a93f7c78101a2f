"""What the web process answers where no request reaches Django: problems (RFC 9457), no pages.

Imports neither settings nor jobs: gunicorn's main process loads it, and would never load it anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from gunicorn.http import errors
from gunicorn.util import http_date


@dataclass(frozen=True)
class Refusal:
    """A status, a code for programs, a sentence for people. Never what the client sent."""

    status: HTTPStatus
    code: str
    detail: str
    headers: tuple[str, ...] = ()

    def body(self, request_id: str) -> bytes:
        """The members that jobs.http.problem gives every other problem."""
        title = self.status.phrase
        told = {"type": "about:blank", "title": title, "status": self.status}
        told |= {"detail": self.detail, "code": self.code, "requestId": request_id, "error": title}
        return json.dumps(told).encode()

    def answer(self, request_id: str) -> bytes:
        body = self.body(request_id)
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Date: {http_date()}",
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
    """Raised where we refuse a request ourselves, before Django sees it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is too large to be read."
)
SLOW_HEADERS = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "slow_headers", "The request did not come in time."
)
SLOW_BODY = Refusal(HTTPStatus.REQUEST_TIMEOUT, "slow_body", "The body did not come in time.")
OVERLOADED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Try again soon.", ("Retry-After: 5",)
)
INTERNAL = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side."
)
BY_ERROR: dict[type[Exception], Refusal] = {
    errors.LimitRequestLine: Refusal(
        HTTPStatus.REQUEST_URI_TOO_LONG, "address_too_long", "The address is too long."
    ),
    errors.LimitRequestHeaders: Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "The headers are too many or too long.",
    ),
    errors.ExpectationFailed: Refusal(
        HTTPStatus.EXPECTATION_FAILED, "expectation_failed", "Expect 100-continue, or nothing."
    ),
    errors.UnsupportedTransferCoding: Refusal(
        HTTPStatus.NOT_IMPLEMENTED,
        "unsupported_transfer_coding",
        "A body may be chunked, or as it is.",
    ),
    errors.InvalidResponseHeader: INTERNAL,  # ours, though its class is a client's error
    errors.InvalidResponseHeaderName: INTERNAL,
    errors.ConfigurationProblem: INTERNAL,
    errors.ParseException: Refusal(HTTPStatus.BAD_REQUEST, "invalid", "This is not valid HTTP."),
}


def refusal_of(error: Exception) -> Refusal:
    """A client's mistake by its class, the first that fits; anything else is ours."""
    if isinstance(error, Refused):
        return error.refusal
    return next((told for kind, told in BY_ERROR.items() if isinstance(error, kind)), INTERNAL)
