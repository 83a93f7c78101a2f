"""Which responses redirect, and where to."""

from __future__ import annotations

from http import HTTPStatus

from urllib3 import BaseHTTPResponse

from jobs.errors import (
    BlockedRedirect,
)
from jobs.outbound.url_parser import ParsedUrl

REDIRECTS = {301, 302, 303, 307, 308}


def is_redirect(response: BaseHTTPResponse) -> bool:
    """Return whether to follow. A 300 counts if it has a preferred choice (RFC 9110, 15.4.1)."""
    is_choice = response.status == HTTPStatus.MULTIPLE_CHOICES
    return response.status in REDIRECTS or (is_choice and "Location" in response.headers)


def redirect_location(response: BaseHTTPResponse, target: ParsedUrl) -> str:
    """Return the redirect's Location; empty, which means the same URL, if it has none."""
    locations = set(response.headers.getlist("Location"))
    if len(locations) > 1:
        raise BlockedRedirect(f"{target.host} redirected to two addresses at once.")
    return locations.pop() if locations else ""
