"""One request and the ways to respond to it, byte by byte. Modes are built from these."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable

from tests.hostile.content import PIECE, File
from tests.hostile.honest import Reply, honest_reply
from tests.hostile.tally import Request, Span, Tally

TICKS = 50  # pieces per second, if the rate allows: smooth, and cheap for many connections
LAG_SECONDS = 0.25  # lag that a slow reader may catch up on; anything beyond is lost


class Exchange:
    """`nth` counts the requests for this address, `nth_connection` the connections, from 1."""

    def __init__(
        self, line: tuple[StreamReader, StreamWriter], request: Request, file: File, tally: Tally
    ) -> None:
        self._reader, self._writer = line
        self._left = False
        self.request = request
        self.file = file
        self.tally = tally
        self.nth = len(tally.requests)
        self.nth_connection = 0
        self.keep_alive = is_kept(request)

    def honest(self) -> Reply:
        return honest_reply(self.file, self.request)

    async def answer(self) -> None:
        try:
            await (self.file.misbehave or honest)(self)
        finally:
            self.leave()

    async def send(self, reply: Reply) -> None:
        await self.head(reply)
        await self.body(reply)

    async def head(self, reply: Reply, version: str = "HTTP/1.1") -> None:
        self.keep_alive = self.keep_alive and version == "HTTP/1.1"
        if not self.keep_alive:
            reply = reply.but(connection="close")
        if not reply.count:
            self.leave()
        await self.write(reply.head(version))

    async def body(self, reply: Reply, count: int | None = None, *, chunked: bool = False) -> None:
        """Write the first `count` bytes of the reply's range, or all of it, at the file's rate.

        They are counted before they are written, and the last ones end the exchange: once a client
        has read them, they are counted, and its request is no longer counted as open.
        """
        if self.request.method == "HEAD":
            return
        file, left = reply.file, reply.count if count is None else count
        span = Span(reply.first)
        self.tally.spans.append(span)
        pace = Pace(file.rate)
        for piece in file.pieces(reply.first, left, pace.piece):
            await pace.wait(len(piece))
            left -= len(piece)
            if not left:
                self.leave()
            span.count += len(piece)
            self.tally.body_bytes += len(piece)
            await self.write(framed(piece) if chunked else piece)

    async def page(self, status: int, text: str = "", **headers: str | None) -> None:
        """Send a page that has nothing of the file."""
        body = text.encode()
        reply = Reply(status, {"Content-Type": "text/html"}, self.file)
        await self.head(reply.but(content_length=str(len(body)), **headers))
        await self.raw([body])

    async def raw(self, pieces: Iterable[bytes]) -> None:
        """Send body bytes that do not belong to the file."""
        if self.request.method == "HEAD":
            return
        for piece in pieces:
            self.tally.body_bytes += len(piece)
            await self.write(piece)

    async def write(self, piece: bytes | memoryview) -> None:
        self._writer.write(piece)
        await self._writer.drain()
        await asyncio.sleep(0)  # else a connection that is never full would block all others

    async def hang(self) -> None:
        """Wait until the client closes the connection."""
        while await self._reader.read(PIECE):
            pass
        raise ConnectionResetError

    def reset(self) -> None:
        """Reset the connection: the client gets ECONNRESET."""
        line: socket.socket = self._writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self.keep_alive = False

    def abort(self) -> None:
        """Close the connection without TLS's closing message."""
        self._writer.transport.abort()
        self.keep_alive = False

    def leave(self) -> None:
        """Count the exchange as ended. Idempotent."""
        if not self._left:
            self._left = True
            self.tally.end()


class Pace:
    """Limits the rate: never faster, from the first byte on, and on average no slower."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._due = time.monotonic()
        self.piece = PIECE if rate is None else min(max(int(rate / TICKS), 1), PIECE)

    async def wait(self, n_bytes: int) -> None:
        """Wait until so many more bytes may have arrived."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._due = max(self._due, now - LAG_SECONDS) + n_bytes / self._rate
        if self._due > now:
            await asyncio.sleep(self._due - now)


async def honest(exchange: Exchange) -> None:
    await exchange.send(exchange.honest())


def is_kept(request: Request) -> bool:
    connection = request.headers.get("connection", "").lower()
    return request.version == "HTTP/1.1" and connection != "close"


def framed(piece: bytes | memoryview) -> bytes:
    """Return the piece as a chunk of Transfer-Encoding: chunked."""
    return b"%x\r\n%b\r\n" % (len(piece), bytes(piece))
