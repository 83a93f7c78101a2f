"""One request in progress: its scope, its body as it arrives, its response as it is sent."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from downloads_project.web_server.bodies import ClientGone
from downloads_project.web_server.refusals import (
    EXPECTATION,
    INTERNAL,
    INVALID,
    SLOW_BODY,
    TRANSFER_CODING,
    Refusal,
    Refused,
)
from downloads_project.web_server.request_target import parse_request_target
from downloads_project.web_server.response_headers import (
    STATUS_LINES,
    date_response_header,
    response_header_value,
)
from jobs.web.request_ids import new_request_id

if TYPE_CHECKING:
    from downloads_project.web_server.http_connection import HttpConnection

ASGI = {"version": "3.0", "spec_version": "2.4"}
VERSIONS = {(1, 0): "1.0", (1, 1): "1.1"}
RECEIVE_SECONDS = 10  # between two pieces of a body
GRACE_SECONDS = 10  # waiting allowed for every body; received bytes add to it
LEAST_BYTES_A_SECOND = 10_000  # 80 kbit/s, a bad mobile line: 100 MB would take hours anyway
UNREAD_BYTES = 64 * 1024  # of a body; then reading is paused
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NO_BODY = {204, 304}
SPECIAL = {b"expect", b"transfer-encoding"}


def request_seconds_left(received_bytes: int, waited_seconds: float) -> float:
    """Return the seconds to wait for the next piece of a body; 0 or less if it is too slow.

    Only time spent waiting counts: a client is not slow because the application is.
    """
    earned = received_bytes / LEAST_BYTES_A_SECOND
    return min(GRACE_SECONDS + earned - waited_seconds, RECEIVE_SECONDS)


class ServerRequest:
    """`receive` and `send` of an ASGI application. Also `scope["extensions"]["web_server"]`."""

    # Initial values; for most requests they never change.
    is_received = False  # the whole body
    _expects_continue = False
    _unread_bytes = 0
    _received_bytes, _waited_seconds = 0, 0.0  # while waiting
    _broken: Refusal | None = None
    _has_ended = False  # the client has closed its side
    _has_delivered_end = False  # to the application
    _waiter: asyncio.Future[None] | None = None
    _watches_client = False
    _held: tuple[str, int] | None = None
    _start: Any = None  # http.response.start, until it is sent with the first piece
    _status = 0
    _request_id = ""
    _sent_bytes = 0
    _left_bytes: int | None = None  # of the Content-Length
    _in_chunks = _is_answered = False
    _task: asyncio.Task[None] | None = None

    def __init__(self, connection: HttpConnection, parser: Any) -> None:
        """Read the head. Raises Refused for what only the parser accepts."""
        self._connection = connection
        self._started_at = monotonic()
        self.content_length: int | None = parser.content_length
        self.is_chunked: bool = parser.is_chunked
        method, version = parser.method.decode(), VERSIONS[parser.http_version]
        self._is_head, self._is_http_1_0 = method == "HEAD", version == "1.0"
        self._keep_alive = parser.should_keep_alive and method != "CONNECT"
        self._pieces: list[bytes] = []
        headers, scheme = self._headers(parser)
        raw_path, path, query, host = parse_request_target(parser.path)
        if host:  # instead of the header's (RFC 9112 3.2.2)
            headers = [(b"host", host), *(pair for pair in headers if pair[0] != b"host")]
        self._request_line = f"{method} {raw_path.decode()} HTTP/{version}"
        self.scope: dict[str, Any] | None = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "method": method,
            "scheme": scheme,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": connection.peer,
            "server": connection.local,
            "state": connection.connections.state.copy(),
            "extensions": {"web_server": self},
        }

    def start(self) -> None:
        scope, self.scope = self.scope, None  # which refers to us
        self._task = self._connection.connections.loop.create_task(self._run(scope))

    # For applications

    def hold(self, client: str, size: int) -> None:
        """Count `size` bytes in memory for the client until the response is sent.

        Raises Refused (503) if the client has too many.
        """
        held = self._held[1] if self._held else 0
        if size > held:
            self._connection.connections.held_bytes.take(client, size - held)
            self._held = client, size

    def end_with_client(self) -> None:
        """Cancel the application when the client closes its side, as for an event stream."""
        self._watches_client = True
        if self._has_ended and self._task:
            self._task.cancel()

    async def receive(self) -> dict[str, Any]:
        """Return the next event; raise Refused if the body is broken or comes too slowly."""
        while not self._pieces:
            if self._broken:
                raise Refused(self._broken)
            if self.is_received and not self._has_delivered_end:
                break
            if self._has_ended:
                return {"type": "http.disconnect"}
            await self._wait()
        body = b"".join(self._pieces)
        self._pieces.clear()
        if self._unread_bytes > UNREAD_BYTES and not self.reads_no_more:
            self._connection.transport.resume_reading()
        self._unread_bytes = 0
        self._has_delivered_end = self.is_received
        return {"type": "http.request", "body": body, "more_body": not self.is_received}

    async def send(self, event: Any) -> None:
        """Send an event of the response. Raises ClientGone if the client has disconnected."""
        if event["type"] == "http.response.start":
            if self._start or self._status:
                raise RuntimeError("The response has started already.")
            self._start, self._status = event, event["status"]
        elif event["type"] != "http.response.body" or not self._status or self._is_answered:
            raise RuntimeError(f"{event['type']} is out of place.")
        else:
            self._write(event.get("body", b""), more=event.get("more_body", False))
            await self._connection.drain()
        if self._connection.is_gone:
            raise ClientGone

    # The connection calls

    @property
    def reads_no_more(self) -> bool:
        """True if further bytes do not belong to this request."""
        return self.is_received or self._broken is not None

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._unread_bytes += len(piece)
        if self._waiter:
            self._received_bytes += len(piece)
        if self._unread_bytes > UNREAD_BYTES:
            self._connection.transport.pause_reading()
        self._wake()

    def on_complete(self) -> None:
        self.is_received = True
        self._wake()

    def on_invalid(self, refusal: Refusal) -> None:
        """Stop reading: the rest of the body is not valid HTTP."""
        self._broken, self._keep_alive = refusal, False
        self._connection.transport.pause_reading()
        self._wake()

    def on_eof(self) -> None:
        """The client has closed its side."""
        self._has_ended, self._keep_alive = True, False
        self._wake()
        if self._watches_client and self._task:
            self._task.cancel()

    on_gone = on_eof

    # Inside

    def _headers(self, parser: Any) -> tuple[list[tuple[bytes, bytes]], str]:
        """Return the headers that the application sees, and the scheme."""
        headers: list[tuple[bytes, bytes]] = parser.asgi_headers
        secure, schemes, is_odd = self._connection.secure_headers, set(), False
        for name, value in headers:
            if b"_" in name:  # WSGI would confuse it with one that has `-`
                is_odd = True
            elif name in SPECIAL:
                self._check(name, value.lower())
            elif name in secure:
                schemes.add("https" if value == secure[name] else "http")
        if len(schemes) > 1:
            raise Refused(INVALID)
        if is_odd:
            headers = [pair for pair in headers if b"_" not in pair[0]]
        return headers, schemes.pop() if schemes else "http"

    def _check(self, name: bytes, value: bytes) -> None:
        if name == b"transfer-encoding":
            if value != b"chunked":
                raise Refused(TRANSFER_CODING)
        elif value != b"100-continue":
            raise Refused(EXPECTATION)
        else:
            self._expects_continue = not self._is_http_1_0

    async def _run(self, scope: Any) -> None:
        connections = self._connection.connections
        try:
            await connections.application(scope, self.receive, self.send)
            if not self._is_answered:
                raise RuntimeError("The application returned without a whole response.")
        except Refused as refused:
            self._refuse(refused.refusal)
        except (ClientGone, asyncio.CancelledError):
            self._keep_alive = False
        except Exception:
            self._request_id = new_request_id()
            connections.log.exception("request %s broke", self._request_id)
            self._refuse(INTERNAL)
        try:
            self._end()
        except BaseException:
            self._connection.close()
            raise

    async def _wait(self) -> None:
        """Wait for an event. A body has a deadline, a disconnect has none."""
        self._waiter = self._connection.connections.loop.create_future()
        if self.is_received:
            await self._waiter
            return
        seconds = request_seconds_left(self._received_bytes, self._waited_seconds)
        if seconds <= 0:
            raise Refused(SLOW_BODY)
        if self._expects_continue:
            self._expects_continue = False
            self._connection.transport.write(CONTINUE)
        began = monotonic()
        try:
            with self._connection.waits(seconds, self._late):
                await self._waiter
        finally:
            self._waited_seconds += monotonic() - began

    def _late(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(Refused(SLOW_BODY))

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _write(self, body: bytes, *, more: bool) -> None:
        head = b""
        if self._start:
            head, self._start = self._head(self._start, body, more=more), None
        if self._is_head or self._status in NO_BODY:
            body = b""
        elif self._left_bytes is not None:
            body = body[: self._left_bytes]
            self._left_bytes -= len(body)
        self._sent_bytes += len(body)
        if self._in_chunks and body:
            body = b"%x\r\n%b\r\n" % (len(body), body)
        if not more:
            self._is_answered = True
            if self._in_chunks:
                body += b"0\r\n\r\n"
            if self._left_bytes:  # fewer than Content-Length: the client waits for them
                self._keep_alive = False
        if (head or body) and not self._connection.is_gone:
            self._connection.transport.write(head + body)

    def _head(self, start: Any, body: bytes, *, more: bool) -> bytes:
        headers = start["headers"]
        fields = b"\r\n".join([b"", *[b": ".join(pair) for pair in headers], b""])
        if fields.count(b"\n") + fields.count(b"\r") != 2 * len(headers) + 2:
            raise RuntimeError("A header has a line end.")
        names = fields.lower()
        connections = self._connection.connections
        self._request_id = (
            response_header_value(fields, names, b"\nx-request-id: ") or b""
        ).decode("latin-1")
        extra = b""
        if not (self._is_head or self._status in NO_BODY):
            if length := response_header_value(fields, names, b"\ncontent-length: "):
                self._left_bytes = int(length)
            elif not more:
                extra = b"Content-Length: %d\r\n" % len(body)
            elif self._is_http_1_0:
                self._keep_alive = False
            else:
                self._in_chunks, extra = True, b"Transfer-Encoding: chunked\r\n"
        if not (self.is_received and connections.keepalive_seconds) or connections.is_stopping:
            self._keep_alive = False
        if not self._keep_alive:
            extra += b"Connection: close\r\n"
        elif self._is_http_1_0:
            extra += b"Connection: keep-alive\r\n"
        line = STATUS_LINES.get(self._status) or b"HTTP/1.1 %d Unknown\r\n" % self._status
        return b"%bDate: %b%b%b\r\n" % (line, date_response_header(), fields, extra)

    def _refuse(self, refusal: Refusal) -> None:
        self._keep_alive = False
        if self._status and not self._start:  # part of another response was sent: abort
            self._connection.close()
            return
        self._request_id = self._request_id or new_request_id()
        self._start, self._status = None, refusal.status.value
        self._sent_bytes = len(refusal.body(self._request_id))
        if not self._connection.is_gone:
            self._connection.transport.write(refusal.response(self._request_id))

    def _end(self) -> None:
        connection = self._connection
        connections = connection.connections
        if self._held:
            connections.held_bytes.give_back(*self._held)
        if self._status:
            connections.access_log.add(
                connection.ip,
                self._request_line,
                self._status,
                self._sent_bytes,
                seconds=monotonic() - self._started_at,
                request_id=self._request_id,
            )
        connection.served(keep_alive=self._keep_alive and self._is_answered)
