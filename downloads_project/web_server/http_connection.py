"""One HTTP/1 connection: reads a request, serves it, and waits for the next one.

Uses gunicorn's C parser. It replaces gunicorn's ASGIProtocol, which needs more CPU time for a
request than an application that responds from memory, and has neither timeouts for slow clients nor
limits.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any, cast

from gunicorn_h1c import H1CProtocol

from downloads_project.web_server.clients import is_proxy_client, peer_client
from downloads_project.web_server.connections import LOCAL, PROXIES, Connections
from downloads_project.web_server.refusals import (
    HEADERS_TOO_LARGE,
    PARSE_ERRORS,
    SLOW_HEADERS,
    Refusal,
    Refused,
    refusal_of,
)
from downloads_project.web_server.request import ServerRequest
from downloads_project.web_server.request_target import request_target_path
from jobs.web.request_ids import new_request_id

HEAD_SECONDS = 10  # from the first byte of a request, or from the connection, to the head's end
HEAD_BYTES = 32 * 1024
LINGER_SECONDS = 2  # a client that still sends must read the response before the reset
LINGER_BYTES = 16 * 1024 * 1024  # discarded at most meanwhile
WRITE_BUFFER_BYTES = 64 * 1024
SEND_SECONDS = 10  # for a client to read a response, and more for a long one
LEAST_BYTES_A_SECOND = 10_000
REQUEST_LINE = re.compile(rb"[A-Z]+ [\x21-\x7e]+ HTTP/1\.[01]\r\n")


class HttpConnection(asyncio.BufferedProtocol):
    """Waits for a request, serves it, or lingers: reads on without responding."""

    __slots__ = (
        "_ahead", "_drained", "_has_hung_up", "_has_served", "_head", "_lingered_bytes",
        "_parser", "client", "connections", "deadline", "ip", "is_gone", "local", "peer",
        "request", "secure_headers", "transport",
    )  # fmt: skip
    transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.client = PROXIES  # shares its limits with all connections of this client
        self.ip = LOCAL
        self.peer: tuple[str, int] | None = None
        self.local: tuple[str, int] | None = None
        self.request: ServerRequest | None = None  # that is being served
        self.deadline = 0.0
        self.is_gone = False
        self.secure_headers: dict[bytes, bytes] = {}
        self._has_served = self._has_hung_up = False
        self._head = bytearray()  # an incomplete head
        self._ahead = bytearray()  # sent by the client before the response
        self._lingered_bytes = -1  # discarded; -1: it does not linger
        self._drained: asyncio.Future[None] | None = None
        self._parser: Any = H1CProtocol(
            on_headers_complete=self._on_head,
            on_body=self._on_body,
            on_message_complete=self._on_complete,
            limit_remaining=0,  # at most one read
            **connections.limits,
        )

    # The transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if isinstance(peer, tuple):
            self.peer, self.local, self.ip = peer[:2], local[:2], peer[0]
            self.client = PROXIES if is_proxy_client(self.ip) else peer_client(self.ip)
        self.secure_headers = self.connections.secure_headers_of(self.ip)
        if not self.connections.opened():
            self.transport.abort()
            return
        self._wait(HEAD_SECONDS)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = self.connections.buffer[:nbytes]
        if self._lingered_bytes >= 0:
            self._lingered_bytes += nbytes
            if self._lingered_bytes > LINGER_BYTES:
                self.close()
        elif self.request and self.request.reads_no_more:
            self._ahead += data
            self.transport.pause_reading()
        else:
            self._feed(data)

    def eof_received(self) -> bool:
        """The client has closed its side. It may still read the response."""
        self._has_hung_up = True
        if self.request:
            self.request.on_eof()
        return self.request is not None

    def connection_lost(self, error: Exception | None) -> None:
        self.is_gone = True
        self.connections.closed(self)
        self._parser = None  # it refers back to us
        self._wake()
        if self.request:
            self.request.on_gone()

    def pause_writing(self) -> None:
        self._drained = self.connections.loop.create_future()

    def resume_writing(self) -> None:
        self._wake()

    # The parser calls

    def _on_head(self) -> None:
        self._head.clear()
        self.request = ServerRequest(self, self._parser)
        self.connections.waits_no_more(self)
        self.request.start()

    def _on_body(self, piece: bytes) -> None:
        assert self.request
        self.request.on_body(piece)

    def _on_complete(self) -> None:
        assert self.request
        self.request.on_complete()

    # Waiting, and no longer waiting

    @property
    def is_idle(self) -> bool:
        """True if the last response is sent and no new request has begun."""
        is_busy = self.request or self._head or self.transport.get_write_buffer_size()
        return self._has_served and not is_busy

    def late(self) -> None:
        """The deadline has passed: refuse the request, or close."""
        if self._head and self._lingered_bytes < 0:
            self.refuse(SLOW_HEADERS)
        else:
            self.close()

    def close(self) -> None:
        """Close at once. Unsent data is discarded."""
        self.connections.waits_no_more(self)
        self.transport.abort()

    async def drain(self) -> None:
        """Wait until most of the written data is sent. Raises ConnectionError."""
        if self._drained is None:
            return
        with self.waits(self._send_seconds, self._did_not_read):
            await self._drained

    @contextmanager
    def waits(self, seconds: float, late: Callable[[], None]) -> Iterator[None]:
        """Wait for the client, within a request; call `late` if that takes too long."""
        timer = self.connections.loop.call_later(seconds, late)
        self.deadline = inf
        self.connections.waits(self)
        try:
            yield
        finally:
            timer.cancel()
            self.connections.waits_no_more(self)

    @property
    def _send_seconds(self) -> float:
        """The seconds that the client has to read the written data."""
        size = self.transport.get_write_buffer_size()
        return SEND_SECONDS + size / LEAST_BYTES_A_SECOND if size else 0

    def _did_not_read(self) -> None:
        self.connections.log.info("ip=%s did not take its response", self.ip)
        self.close()

    def served(self, *, keep_alive: bool) -> None:
        """End the request and wait for the next one, which may have arrived already."""
        self.request, self._has_served = None, True
        if self.is_gone:
            return
        if not keep_alive or self.connections.is_stopping:
            self._linger()
            return
        received = self._parser.remaining() + bytes(self._ahead)
        self._ahead.clear()
        self._parser.reset()
        self._wait(HEAD_SECONDS if received else self.connections.keepalive_seconds)
        self.transport.resume_reading()
        if received:
            self._feed(received)

    def refuse(self, refusal: Refusal, request_line: bytes = b"") -> None:
        """Respond with a refusal, and close."""
        request_id = new_request_id()
        if request_line:
            method, target, version = request_line.split()
            self.connections.access_log.add(
                self.ip,
                b" ".join([method, request_target_path(target), version]).decode("latin-1"),
                refusal.status,
                len(refusal.body(request_id)),
                seconds=0,
                request_id=request_id,
            )
        if not self.is_gone:
            self.transport.write(refusal.response(request_id))
            self.connections.waits_no_more(self)
            self._linger()

    def _wait(self, seconds: float) -> None:
        self.deadline = monotonic() + seconds
        self.connections.waits(self)

    def _linger(self) -> None:
        """Close our side and read until the client closes: a reset could destroy the response."""
        self.connections.access_log.flush()  # before the client can see the end of the response
        self._lingered_bytes = 0
        try:
            self.transport.write_eof()
        except OSError:  # the client is gone
            self.close()
            return
        self._wait(LINGER_SECONDS + self._send_seconds)
        if self._has_hung_up:
            self.transport.close()  # once everything is sent
        else:
            self.transport.resume_reading()

    def _feed(self, data: memoryview | bytes) -> None:
        try:
            self._parser.feed(data)
        except (*PARSE_ERRORS, Refused) as error:
            self._on_invalid(error, data)
            return
        if self.request:
            return
        if not self._head and self._has_served:  # the next one begins
            self.deadline = monotonic() + HEAD_SECONDS
        self._head += data
        if len(self._head) > HEAD_BYTES:
            self._on_invalid(Refused(HEADERS_TOO_LARGE), b"")

    def _on_invalid(self, error: Exception, data: memoryview | bytes) -> None:
        self.connections.log.warning("Invalid request from ip=%s: %s", self.ip, error)
        if self.request:
            self.request.on_invalid(refusal_of(error))
            return
        line = REQUEST_LINE.match(bytes(self._head) + data)
        self.refuse(refusal_of(error), line[0] if line else b"")

    def _wake(self) -> None:
        waiter, self._drained = self._drained, None
        if waiter and not waiter.done():
            waiter.set_result(None)
