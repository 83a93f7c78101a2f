"""HTTP helpers, for the service and for the file store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from downloads_client.formatting import printable
from jobs.lib import retry_after

TIMEOUT_SECONDS = (10, 30)  # to connect, and between two bytes
MAX_RESPONSE_BYTES = 1_000_000
MAX_RESPONSE_SECONDS = 60
MAX_RETRY_AFTER_SECONDS = 10**6 - 1
INVALID_ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,  # of a proxy, too
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
UNREADABLE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
BAD_ADDRESS = "its URL, or that of the proxy in HTTP_PROXY or HTTPS_PROXY, is not valid"
BAD_BUNDLE = "the certificates in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE could not be read"


class HttpSession(requests.Session):
    """A session that does not read ~/.netrc again after a redirect."""

    def rebuild_auth(
        self,
        prepared_request: requests.PreparedRequest,
        response: requests.Response,  # noqa: ARG002 # the library's name
    ) -> None:
        prepared_request.headers.pop("Authorization", None)


def check_location(response: requests.Response, **_: Any) -> None:
    """Close the response if its Location is no address. A hook of requests.

    The library itself would raise a ValueError and leave the connection open.
    """
    try:
        urlsplit(response.headers.get("Location", "").encode("latin-1").decode())
    except ValueError as error:
        response.close()
        raise requests.RequestException("it redirects to an invalid URL") from error


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After, or until its date; None without a valid one."""
    value = headers.get("Retry-After", "").strip()
    if value == "0":
        return 0.0
    return retry_after.longest_of([value], at_most=MAX_RETRY_AFTER_SECONDS) or None


def read_body(response: requests.Response) -> bytes:
    """Return the body. Raises requests.RequestException if it is too long or too slow."""
    ends = time.monotonic() + MAX_RESPONSE_SECONDS
    body = bytearray()
    for chunk in response.iter_content(1):  # a longer read waits for all of it, however slow it is
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES or time.monotonic() > ends:
            raise requests.RequestException("its response does not end")
    return bytes(body)


def permanent_reason(error: BaseException) -> str:
    """Return why a retry would fail as well; empty if the error may be temporary."""
    if isinstance(error, requests.exceptions.SSLError):
        # Errors of OpenSSL while it reads the bundle, as opposed to errors of the handshake.
        talked = any(getattr(cause, "library", None) == "SSL" for cause in causes(error))
        read = any(type(cause) in UNREADABLE for cause in causes(error))
        lacks = any(getattr(cause, "library", None) == "X509" for cause in causes(error))
        return BAD_BUNDLE if (read or lacks) and not talked else ""
    if not isinstance(error, requests.RequestException):
        return BAD_BUNDLE if isinstance(error, OSError) else BAD_ADDRESS
    return BAD_ADDRESS if isinstance(error, INVALID_ADDRESS_ERRORS) else ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what caused it, innermost last."""
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__ or cause.__context__


def reason(error: BaseException) -> str:
    """Return the reason in a few words. The libraries' own messages include addresses."""
    if permanent := permanent_reason(error):
        return permanent
    if isinstance(error, requests.Timeout):
        return "timed out"
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_reason(error)
    if isinstance(error, requests.TooManyRedirects):
        return "too many redirects"
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return printable(cause.strerror)
    return (
        printable(str(error))
        if type(error) is requests.RequestException
        else "the connection dropped"
    )


def _tls_reason(error: BaseException) -> str:
    for cause in causes(error):
        if hasattr(cause, "verify_message"):
            return "its certificate is not trusted"
    reasons = [getattr(cause, "reason", None) for cause in causes(error)]
    words = next((text for text in reversed(reasons) if isinstance(text, str)), "no TLS")
    return f"TLS failed ({printable(words.replace('_', ' ').lower())})"
