"""One request and the ways to answer it, byte by byte: what modes are made of."""

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

TICKS = 50  # pieces a second, if the rate allows: smooth, and cheap enough for many connections
LAG_SECONDS = 0.25  # that a slow reader may catch up on; what it lost beyond that is lost


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
        """The first `count` bytes of what the reply tells of, or all of it, at the file's pace.

        They are counted before they are written, and the last ones end the exchange: whoever has
        read them finds them counted and is no longer counted itself.
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
        """An answer that has nothing of the file."""
        body = text.encode()
        reply = Reply(status, {"Content-Type": "text/html"}, self.file)
        await self.head(reply.but(content_length=str(len(body)), **headers))
        await self.raw([body])

    async def raw(self, pieces: Iterable[bytes]) -> None:
        """Bytes of a body that are none of the file's."""
        if self.request.method == "HEAD":
            return
        for piece in pieces:
            self.tally.body_bytes += len(piece)
            await self.write(piece)

    async def write(self, piece: bytes | memoryview) -> None:
        self._writer.write(piece)
        await self._writer.drain()
        await asyncio.sleep(0)  # a line that is never full would let nobody else have a turn

    async def hang(self) -> None:
        """Until the client goes away."""
        while await self._reader.read(PIECE):
            pass
        raise ConnectionResetError

    def reset(self) -> None:
        """Break off without a goodbye: the client gets ECONNRESET."""
        line: socket.socket = self._writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self.keep_alive = False

    def abort(self) -> None:
        """End the connection, without the goodbye that TLS has for it."""
        self._writer.transport.abort()
        self.keep_alive = False

    def leave(self) -> None:
        """The exchange is over, as far as counting goes. May be called twice."""
        if not self._left:
            self._left = True
            self.tally.end()


class Pace:
    """Never faster than the rate, from the first byte on, and on average no slower."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._due = time.monotonic()
        self.piece = PIECE if rate is None else min(max(int(rate / TICKS), 1), PIECE)

    async def wait(self, n_bytes: int) -> None:
        """Until so many bytes more may have arrived."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._due = max(self._due, now - LAG_SECONDS) + n_bytes / self._rate
        if self._due > now:
            await asyncio.sleep(self._due - now)


async def honest(exchange: Exchange) -> None:
    await exchange.send(exchange.honest())


def is_kept(request: Request) -> bool:
    asked = request.headers.get("connection", "").lower()
    return request.version == "HTTP/1.1" and asked != "close"


def framed(piece: bytes | memoryview) -> bytes:
    """As a chunk of Transfer-Encoding: chunked."""
    return b"%x\r\n%b\r\n" % (len(piece), bytes(piece))
