"""Requests for one URL: follow its redirects, and keep its connections for the next request."""

from __future__ import annotations

import ssl
import threading

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from jobs.errors import (
    RemoteNotTrusted,
    RemoteRefused,
    RemoteUnavailable,
    TooManyRedirects,
)
from jobs.outbound.connection_pools import EXACT_TARGET, ConnectionPool, connection_pool_of
from jobs.outbound.cookies import Cookies
from jobs.outbound.post_response import PostResponse
from jobs.outbound.redirects import is_redirect, redirect_location
from jobs.outbound.remote_response import RemoteResponse
from jobs.outbound.response_errors import (
    BadResponse,
    RangesBroken,
    map_response_errors,
    response_error,
)
from jobs.outbound.targets import join_target, target_addresses, target_of
from jobs.outbound.url_parser import ParsedUrl

MAX_REDIRECTS = 20  # as in browsers; curl and wget follow at least as many
# Successful, but without the file. Any other 2xx has it: unknown ones are like 200 (RFC 9110, 15).
NOT_THE_FILE = {202, 204, 205, 207, 208}
HEADERS = {
    "User-Agent": "Downloads/1",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # the file must have its own bytes
}


class RemoteFile:
    """The file behind a URL. Thread-safe.

    Methods raise a RemoteError, the constructor what `target_of` raises. Each name is resolved
    once, so connections go to the addresses that were checked.
    """

    def __init__(self, url: str, *, connections: int) -> None:
        self._origin = target_of(url)
        self._connections = connections
        self._final: ParsedUrl | None = None  # after redirects
        self._pools: dict[tuple[str, str, int], list[ConnectionPool]] = {}
        self._cookies = Cookies()
        self._resolving = threading.Lock()
        self._is_closed = False

    @property
    def host(self) -> str:
        """The host, after redirects if they are known."""
        return (self._final or self._origin).host

    def whole(self) -> RemoteResponse:
        """Request the whole file. Raises RemoteUnavailable if only a part is sent."""
        try:
            response = self._request({})
        except RangesBroken as error:
            sentence = f"{self.host} responded as if part of the file had been requested."
            raise RemoteUnavailable(sentence) from error
        if not response.is_whole:
            response.close()
            raise RemoteUnavailable(f"{self.host} sent only part of the file.")
        return response

    def probe(self, first: int, last: int | None = None) -> RemoteResponse:
        """Request a range of the current version, to the end without `last`.

        The response may have the whole file. Raises RangesBroken if the server might send the file
        without a range.
        """
        try:
            return self._request({"Range": f"bytes={first}-{'' if last is None else last}"})
        except RemoteRefused as error:
            raise RangesBroken("a range is refused") from error
        except BadResponse as error:
            if first:  # ranges worked before: keep the parts, and retry
                raise
            raise RangesBroken("a range is not answered") from error

    def range(self, first: int, last: int, validator: str, total: int) -> RemoteResponse:
        """Request exactly this range of this version. Raises RangesBroken, RemoteChanged."""
        response = self._request({"Range": f"bytes={first}-{last}", "If-Range": validator})
        try:
            response.check((first, last, total), validator)
        except BaseException:
            response.close()
            raise
        return response

    def post(self, body: bytes, headers: dict[str, str]) -> PostResponse:
        """Send the body. Return the response, whose own body is not read yet.

        Redirects are not followed.
        """
        return PostResponse.of(self._send(self._origin, headers, body))

    def close(self) -> None:
        """Abort all connections, and refuse new ones."""
        self._is_closed = True
        for pools in list(self._pools.values()):
            for pool in pools:
                pool.abort()

    def _request(self, headers: dict[str, str]) -> RemoteResponse:
        """Send the request to where the redirects led, or follow them again."""
        if (final := self._final) and final != self._origin:
            try:
                return self._checked(self._send(final, headers), final)
            except RemoteRefused:
                pass  # probably a signed URL that has expired
        return self._follow(headers)

    def _follow(self, headers: dict[str, str]) -> RemoteResponse:
        target = self._origin
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(target, headers)
            if not is_redirect(response):
                self._final = target  # also if it refuses this request: the next one may succeed
                return self._checked(response, target)
            response.close()  # without reading its body, which may be endless
            target = join_target(target, redirect_location(response, target))
        raise TooManyRedirects(f"{self._origin.host} redirected more than {MAX_REDIRECTS} times.")

    def _checked(self, response: BaseHTTPResponse, target: ParsedUrl) -> RemoteResponse:
        try:
            if not 200 <= response.status < 300 or response.status in NOT_THE_FILE:
                raise response_error(response, target)
            return RemoteResponse(response, target)
        except BaseException:
            response.close()
            raise

    def _send(
        self, target: ParsedUrl, headers: dict[str, str], body: bytes | None = None
    ) -> BaseHTTPResponse:
        """Send to the first of its addresses that accepts a connection."""
        trouble: Exception = RemoteUnavailable(f"{target.host} could not be reached.")
        for pool in self._pools_of(target):
            try:
                with map_response_errors(target):
                    response = self._sent(pool, target, headers, body)
            except RemoteUnavailable as error:
                if not isinstance(error.__cause__, NewConnectionError | ConnectTimeoutError):
                    raise
                trouble = error
            else:
                self._cookies.store(response, target)
                return response
        raise trouble

    def _sent(
        self, pool: ConnectionPool, target: ParsedUrl, headers: dict[str, str], body: bytes | None
    ) -> BaseHTTPResponse:
        headers = HEADERS | headers | self._cookies.header_for(target)
        try:
            return pool.urlopen(
                "GET" if body is None else "POST",
                "/",
                body=body,
                headers=headers | {"Host": target.host_header, EXACT_TARGET: target.path},
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except SSLError as error:
            if isinstance(error.args[0], ssl.SSLCertVerificationError):
                sentence = f"The certificate of {target.host} is not valid."
                raise RemoteNotTrusted(sentence) from error
            raise

    def _pools_of(self, target: ParsedUrl) -> list[ConnectionPool]:
        key = (target.scheme, target.host, target.port)
        with self._resolving:
            if key not in self._pools:
                self._pools[key] = [
                    connection_pool_of(target, each, connections=self._connections)
                    for each in target_addresses(target)
                ]
            if self._is_closed:  # meanwhile: name resolution cannot be aborted
                raise RemoteUnavailable(f"{target.host} was not contacted again.")
            return self._pools[key]
