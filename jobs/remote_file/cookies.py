"""Cookies for as long as one file is fetched: some servers set one and redirect to the same URL.

Each host has a jar of its own, so no cookie is ever sent to another host, whatever its Domain says.
"""

from __future__ import annotations

from collections import defaultdict
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import cast
from urllib.request import Request

from urllib3 import BaseHTTPResponse, HTTPHeaderDict

from jobs.remote_file.targets import Target

# What RFC 6265, 6.1 asks of every client, and no more: a server could send any number.
MAX_COOKIES = 50
MAX_COOKIE_CHARS = 4096


class Cookies:
    """Any thread may use it."""

    def __init__(self) -> None:
        self._jars: defaultdict[str, CookieJar] = defaultdict(CookieJar)

    def header_for(self, target: Target) -> dict[str, str]:
        """The Cookie header; empty if there is no cookie."""
        request = _request(target)
        self._jars[target.host].add_cookie_header(request)
        cookie = request.get_header("Cookie")
        return {"Cookie": cookie} if cookie else {}

    def learn(self, response: BaseHTTPResponse, target: Target) -> None:
        """Keep what the response sets."""
        jar = self._jars[target.host]
        cookies = response.headers.getlist("Set-Cookie")[:MAX_COOKIES]
        for cookie in cookies:
            if len(jar) < MAX_COOKIES and len(cookie) <= MAX_COOKIE_CHARS:
                one = cast("HTTPResponse", _Response(cookie))
                jar.extract_cookies(one, _request(target))


class _Response:
    """The part of a response that a jar looks at."""

    def __init__(self, cookie: str) -> None:
        self._headers = HTTPHeaderDict({"Set-Cookie": cookie})

    def info(self) -> HTTPHeaderDict:
        return self._headers


def _request(target: Target) -> Request:
    return Request(target.origin + target.path)  # noqa: S310 # it is never opened
