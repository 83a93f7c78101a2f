"""Why a connection failed, in words for people, and whether a retry can succeed."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from downloads_client.formatting import format_printable

INVALID_ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,  # of a proxy, too
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
UNREADABLE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
BAD_ADDRESS = "its URL, or that of the proxy in HTTP_PROXY or HTTPS_PROXY, is not valid"
BAD_CA_BUNDLE = "the certificates in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE could not be read"


def permanent_connection_error(error: BaseException) -> str:
    """Return why a retry would fail as well; empty if the error may be temporary."""
    if isinstance(error, requests.exceptions.SSLError):
        # Errors of OpenSSL while it reads the bundle, as opposed to errors of the handshake.
        in_handshake = any(
            getattr(cause, "library", None) == "SSL" for cause in connection_error_causes(error)
        )
        unreadable = any(type(cause) in UNREADABLE for cause in connection_error_causes(error))
        is_invalid = any(
            getattr(cause, "library", None) == "X509" for cause in connection_error_causes(error)
        )
        return BAD_CA_BUNDLE if (unreadable or is_invalid) and not in_handshake else ""
    if not isinstance(error, requests.RequestException):
        return BAD_CA_BUNDLE if isinstance(error, OSError) else BAD_ADDRESS
    return BAD_ADDRESS if isinstance(error, INVALID_ADDRESS_ERRORS) else ""


def connection_error_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what caused it, innermost last."""
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__ or cause.__context__


def connection_error_reason(error: BaseException) -> str:
    """Return the reason in a few words. The libraries' own messages include addresses."""
    if permanent := permanent_connection_error(error):
        return permanent
    if isinstance(error, requests.Timeout):
        return "timed out"
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_reason(error)
    if isinstance(error, requests.TooManyRedirects):
        return "too many redirects"
    for cause in connection_error_causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return format_printable(cause.strerror)
    return (
        format_printable(str(error))
        if type(error) is requests.RequestException
        else "the connection dropped"
    )


def _tls_reason(error: BaseException) -> str:
    for cause in connection_error_causes(error):
        if hasattr(cause, "verify_message"):
            return "its certificate is not trusted"
    reasons = [getattr(cause, "reason", None) for cause in connection_error_causes(error)]
    words = next((text for text in reversed(reasons) if isinstance(text, str)), "no TLS")
    return f"TLS failed ({format_printable(words.replace('_', ' ').lower())})"
