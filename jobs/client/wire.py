"""What talking to the service and to the file store have in common."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import requests

from jobs.client.words import printable

TIMEOUT_SECONDS = (10, 30)  # to connect, and between two bytes
MAX_ANSWER_BYTES = 1_000_000
MAX_ANSWER_SECONDS = 60


def check_location(response: requests.Response, **_: Any) -> None:
    """A hook. The library itself would raise a ValueError, and leave the line open."""
    try:
        urlsplit(response.headers.get("Location", "").encode("latin-1").decode())
    except ValueError as error:
        response.close()
        raise requests.RequestException("it redirects to no address") from error


def whole_body(response: requests.Response) -> bytes:
    """Raises requests.RequestException for one that does not end."""
    ends = time.monotonic() + MAX_ANSWER_SECONDS
    body = bytearray()
    for chunk in response.iter_content(1):  # a longer read waits for all of it, however slow it is
        body += chunk
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > ends:
            raise requests.RequestException("its answer does not end")
    return bytes(body)


def reason(error: BaseException) -> str:
    """What the system says of it; the libraries around it say much more, addresses included."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects without end"
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.strerror:
            return printable(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return printable(str(error)) if type(error) is requests.RequestException else "the line broke"
