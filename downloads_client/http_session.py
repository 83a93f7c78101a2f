"""The HTTP session, and how it reads responses, for the service and for the file store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from jobs.lib import retry_after

TIMEOUT_SECONDS = (10, 30)  # to connect, and between two bytes
MAX_RESPONSE_BYTES = 1_000_000
MAX_RESPONSE_SECONDS = 60
MAX_RETRY_AFTER_SECONDS = 10**6 - 1


class HttpSession(requests.Session):
    """A session that does not read ~/.netrc again after a redirect."""

    def rebuild_auth(
        self,
        prepared_request: requests.PreparedRequest,
        response: requests.Response,  # noqa: ARG002 # the library's name
    ) -> None:
        prepared_request.headers.pop("Authorization", None)


def check_session_location(response: requests.Response, **_: Any) -> None:
    """Close the response if its Location is no address. A hook of requests.

    The library itself would raise a ValueError and leave the connection open.
    """
    try:
        urlsplit(response.headers.get("Location", "").encode("latin-1").decode())
    except ValueError as error:
        response.close()
        raise requests.RequestException("it redirects to an invalid URL") from error


def session_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After, or until its date; None without a valid one."""
    value = headers.get("Retry-After", "").strip()
    if value == "0":
        return 0.0
    return retry_after.longest_retry_after([value], at_most=MAX_RETRY_AFTER_SECONDS) or None


def read_session_body(response: requests.Response) -> bytes:
    """Return the body. Raises requests.RequestException if it is too long or too slow."""
    ends = time.monotonic() + MAX_RESPONSE_SECONDS
    body = bytearray()
    for chunk in response.iter_content(1):  # a longer read waits for all of it, however slow it is
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES or time.monotonic() > ends:
            raise requests.RequestException("its response does not end")
    return bytes(body)
