"""Errors of a request for a file, as urllib3 and the server report them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from jobs.errors import RemoteRefused, RemoteUnavailable
from jobs.lib import retry_after
from jobs.outbound.response_head import BadHead
from jobs.outbound.url_parser import ParsedUrl

MAX_REST_SECONDS = 300  # of a Retry-After
TRANSIENT = {408, 425, 429}  # and all from 500


class BadResponse(RemoteUnavailable):
    """The server closed the connection, or its response may be due to the Range header."""


class RangesBroken(Exception):
    """The server does not support ranges correctly. The whole file may still be available.

    `total` is the size of the file, if it is known.
    """

    def __init__(self, reason: str, *, total: int | None = None) -> None:
        super().__init__(reason)
        self.total = total


@contextmanager
def map_response_errors(target: ParsedUrl) -> Iterator[None]:
    """Convert the errors of urllib3 to RemoteUnavailable."""
    try:
        yield
    except ReadTimeoutError as error:
        raise RemoteUnavailable(f"{target.host} stopped responding.") from error
    except BadHead as error:
        raise BadResponse(f"{target.host} sent an invalid HTTP response.") from error
    except (NewConnectionError, ConnectTimeoutError) as error:
        raise RemoteUnavailable(f"{target.host} could not be reached.") from error
    except (HTTPError, OSError) as error:
        raise BadResponse(f"{target.host} closed the connection early.") from error


def response_error(response: BaseHTTPResponse, target: ParsedUrl) -> Exception:
    """Return the error for a response without the file."""
    status = response.status
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return RangesBroken("a range that is there is refused")
    try:
        said = f"{target.host} returned {status} ({HTTPStatus(status).phrase})."
    except ValueError:
        said = f"{target.host} returned {status}."
    values = response.headers.getlist("Retry-After")
    rest = retry_after.longest_retry_after(values, at_most=MAX_REST_SECONDS)
    if status < 300 or status == HTTPStatus.TOO_MANY_REQUESTS:
        return RemoteUnavailable(said, after_seconds=rest)
    if status in TRANSIENT or status >= 500:
        return BadResponse(said, after_seconds=rest)
    return RemoteRefused(said)
