"""What talking to the service and to the file store have in common."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from downloads_client.formatting import printable
from jobs.lib import retry_after

TIMEOUT_SECONDS = (10, 30)  # to connect, and between two bytes
MAX_ANSWER_BYTES = 1_000_000
MAX_ANSWER_SECONDS = 60
MAX_REST_SECONDS = 10**6 - 1  # of a Retry-After; nobody is as patient
NO_ADDRESS = (
    requests.exceptions.InvalidURL,  # of a proxy, too
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
UNREADABLE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
BAD_ADDRESS = "its address, or that of the proxy in HTTP_PROXY or HTTPS_PROXY, is not valid"
BAD_BUNDLE = "the file of certificates in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE cannot be read"


class Session(requests.Session):
    """A session that does not read ~/.netrc again after a redirect."""

    def rebuild_auth(
        self,
        prepared_request: requests.PreparedRequest,
        response: requests.Response,  # noqa: ARG002 # the library's name
    ) -> None:
        prepared_request.headers.pop("Authorization", None)


def check_location(response: requests.Response, **_: Any) -> None:
    """A hook. The library itself would raise a ValueError, and leave the line open."""
    try:
        urlsplit(response.headers.get("Location", "").encode("latin-1").decode())
    except ValueError as error:
        response.close()
        raise requests.RequestException("it redirects to no address") from error


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After, or until its date; None where nothing is asked."""
    told = headers.get("Retry-After", "").strip()
    if told == "0":
        return 0.0
    return retry_after.longest_of([told], at_most=MAX_REST_SECONDS) or None


def whole_body(response: requests.Response) -> bytes:
    """Raises requests.RequestException for one that does not end."""
    ends = time.monotonic() + MAX_ANSWER_SECONDS
    body = bytearray()
    for chunk in response.iter_content(1):  # a longer read waits for all of it, however slow it is
        body += chunk
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > ends:
            raise requests.RequestException("its answer does not end")
    return bytes(body)


def lasting_reason(error: BaseException) -> str:
    """Return why a retry would fail as well; empty if the error may be temporary."""
    if isinstance(error, requests.exceptions.SSLError):
        # OpenSSL could not read it: none of what it says while it talks to the other side.
        talked = any(getattr(cause, "library", None) == "SSL" for cause in causes(error))
        read = any(type(cause) in UNREADABLE for cause in causes(error))
        lacks = any(getattr(cause, "library", None) == "X509" for cause in causes(error))
        return BAD_BUNDLE if (read or lacks) and not talked else ""
    if not isinstance(error, requests.RequestException):
        return BAD_BUNDLE if isinstance(error, OSError) else BAD_ADDRESS
    return BAD_ADDRESS if isinstance(error, NO_ADDRESS) else ""


def causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__ or cause.__context__


def reason(error: BaseException) -> str:
    """What the system says of it; the libraries around it say much more, addresses included."""
    if lasts := lasting_reason(error):
        return lasts
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_reason(error)
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects without end"
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return printable(cause.strerror)
    return printable(str(error)) if type(error) is requests.RequestException else "the line broke"


def _tls_reason(error: BaseException) -> str:
    for cause in causes(error):
        if hasattr(cause, "verify_message"):
            return "its certificate is not trusted"
    said = [getattr(cause, "reason", None) for cause in causes(error)]
    words = next((text for text in reversed(said) if isinstance(text, str)), "no TLS")
    return f"TLS failed ({printable(words.replace('_', ' ').lower())})"
