"""One URL and the connections to where it leads, for as long as it is fetched."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus

import certifi
from django.conf import settings
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from jobs.errors import (
    BlockedRedirect,
    RemoteNotTrusted,
    RemoteRefused,
    RemoteUnavailable,
    TooManyRedirects,
)
from jobs.lib import retry_after
from jobs.outbound.connections import EXACT_TARGET, ConnectionPool, TlsConnectionPool, TlsSocket
from jobs.outbound.cookies import Cookies
from jobs.outbound.response import BadResponse, RangesBroken, RemoteResponse, passing_trouble
from jobs.outbound.targets import Target, addresses_of, joined, target_of

CONNECT_SECONDS = 10
MAX_REDIRECTS = 20  # as browsers; curl and wget follow as many, or more
MAX_REST_SECONDS = 300  # of a Retry-After; who asks for more gets no fifth try
REDIRECTS = {301, 302, 303, 307, 308}
# Not (yet) the file, though they begin with a 2. All others carry it: a status that nobody knows is
# a 200 (RFC 9110, 15).
NOT_THE_FILE = {202, 204, 205, 207, 208}
PASSING = {408, 425, 429}  # and all from 500
HEADERS = {
    "User-Agent": "Downloads/1",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # the bytes of a file are those of its hash
}


@dataclass(frozen=True)
class PostResponse:
    """`retry_after` has the headers of that name."""

    status: int
    retry_after: Sequence[str]


class RemoteFile:
    """Any thread may ask. Raises a RemoteError; target_of's own errors where the URL is bad.

    Names are resolved once each: what was judged is what is connected to.
    """

    def __init__(self, url: str, *, connections: int) -> None:
        self._origin = target_of(url)
        self._connections = connections
        self._landed: Target | None = None
        self._pools: dict[tuple[str, str, int], list[ConnectionPool]] = {}
        self._cookies = Cookies()
        self._resolving = threading.Lock()
        self._is_closed = False

    @property
    def host(self) -> str:
        """Where it leads, as far as that is known."""
        return (self._landed or self._origin).host

    def whole(self) -> RemoteResponse:
        """The whole file, or RemoteUnavailable."""
        try:
            answer = self._ask({})
        except RangesBroken as error:
            sentence = f"{self.host} responded as if part of the file had been requested."
            raise RemoteUnavailable(sentence) from error
        if not answer.is_whole:
            answer.close()
            raise RemoteUnavailable(f"{self.host} sent only part of the file.")
        return answer

    def probe(self, first: int, last: int | None = None) -> RemoteResponse:
        """These bytes of whichever version there is; the whole file where that is what comes.

        To the end of the file if there is no `last`. Raises RangesBroken if the server may give
        the file to whoever asks for no range.
        """
        try:
            return self._ask({"Range": f"bytes={first}-{'' if last is None else last}"})
        except RemoteRefused as error:
            raise RangesBroken("a range is refused") from error
        except BadResponse as error:
            if first:  # it does ranges, and what it has sent before is not given up for a moment
                raise
            raise RangesBroken("a range is not answered") from error

    def range(self, first: int, last: int, validator: str, total: int) -> RemoteResponse:
        """These bytes of this version, exactly, or RangesBroken, or RemoteChanged."""
        answer = self._ask({"Range": f"bytes={first}-{last}", "If-Range": validator})
        try:
            answer.check((first, last, total), validator)
        except BaseException:
            answer.close()
            raise
        return answer

    def post(self, body: bytes, headers: dict[str, str]) -> PostResponse:
        """The head of the answer, of which no more is read. A redirect is not followed."""
        response = self._send(self._origin, headers, body)
        response.close()
        return PostResponse(response.status, response.headers.getlist("Retry-After"))

    def close(self) -> None:
        """All connections, also those that somebody still waits on, and those to come."""
        self._is_closed = True
        for pools in list(self._pools.values()):
            for pool in pools:
                pool.cut()

    def _ask(self, headers: dict[str, str]) -> RemoteResponse:
        if (landed := self._landed) and landed != self._origin:
            try:
                return self._judged(self._send(landed, headers), landed)
            except RemoteRefused:
                pass  # a signed address, most likely, whose time is over
        return self._follow(headers)

    def _follow(self, headers: dict[str, str]) -> RemoteResponse:
        target = self._origin
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(target, headers)
            if not _is_redirect(response):
                self._landed = target  # also if it refuses this request: it may not the next
                return self._judged(response, target)
            response.close()  # not read to its end, which may not come
            target = joined(target, _location(response, target))
        raise TooManyRedirects(f"{self._origin.host} redirected more than {MAX_REDIRECTS} times.")

    def _judged(self, response: BaseHTTPResponse, target: Target) -> RemoteResponse:
        try:
            if not 200 <= response.status < 300 or response.status in NOT_THE_FILE:
                raise _refusal(response, target)
            return RemoteResponse(response, target)
        except BaseException:
            response.close()
            raise

    def _send(
        self, target: Target, headers: dict[str, str], body: bytes | None = None
    ) -> BaseHTTPResponse:
        """To the first of its addresses that lets us connect."""
        trouble: Exception = RemoteUnavailable(f"{target.host} could not be reached.")
        for pool in self._pools_of(target):
            try:
                with passing_trouble(target):
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
        self, pool: ConnectionPool, target: Target, headers: dict[str, str], body: bytes | None
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

    def _pools_of(self, target: Target) -> list[ConnectionPool]:
        key = (target.scheme, target.host, target.port)
        with self._resolving:
            if key not in self._pools:
                self._pools[key] = [self._pool(target, each) for each in addresses_of(target)]
            if self._is_closed:  # while the name was resolved, which nobody can cut short
                raise RemoteUnavailable(f"{target.host} was not contacted again.")
            return self._pools[key]

    def _pool(self, target: Target, address: str) -> ConnectionPool:
        timeout = Timeout(connect=CONNECT_SECONDS, read=settings.REMOTE_SILENT_SECONDS)
        if target.scheme == "http":
            return ConnectionPool(address, target.port, timeout=timeout, maxsize=self._connections)
        return TlsConnectionPool(
            address,
            target.port,
            timeout=timeout,
            maxsize=self._connections,
            ssl_context=_trust(),
            server_hostname=target.host,  # for the certificate too
        )


@cache
def _trust() -> ssl.SSLContext:
    """The system's authorities, which an intranet may have added to, and the usual ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.sslsocket_class = TlsSocket
    return context


def _is_redirect(response: BaseHTTPResponse) -> bool:
    """Also a list of choices, if the server prefers one of them (RFC 9110, 15.4.1)."""
    is_choice = response.status == HTTPStatus.MULTIPLE_CHOICES
    return response.status in REDIRECTS or (is_choice and "Location" in response.headers)


def _location(response: BaseHTTPResponse, target: Target) -> str:
    """Return the redirect's Location; empty, which means the same URL, if it has none."""
    locations = set(response.headers.getlist("Location"))
    if len(locations) > 1:
        raise BlockedRedirect(f"{target.host} redirected to two addresses at once.")
    return locations.pop() if locations else ""


def _refusal(response: BaseHTTPResponse, target: Target) -> Exception:
    status = response.status
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return RangesBroken("a range that is there is refused")
    try:
        said = f"{target.host} returned {status} ({HTTPStatus(status).phrase})."
    except ValueError:
        said = f"{target.host} returned {status}."
    values = response.headers.getlist("Retry-After")
    rest = retry_after.longest_of(values, at_most=MAX_REST_SECONDS)
    if status < 300 or status == HTTPStatus.TOO_MANY_REQUESTS:
        return RemoteUnavailable(said, after_seconds=rest)
    if status in PASSING or status >= 500:
        return BadResponse(said, after_seconds=rest)
    return RemoteRefused(said)
