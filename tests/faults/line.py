"""One connection through the proxy. Only proxy.py creates them.

It runs in the event loop of the proxy. There is no await between the check of the rules and the
send, so that a command applies to every byte that was not sent yet.
"""

from __future__ import annotations

import asyncio
import math
import re
import socket
import struct
from contextlib import suppress

from tests.faults.rules import Refusal, Shared, Side

PIECE_BYTES = 64 * 1024
PIECES_HELD = 16  # read ahead in each direction, so that a delay does not limit the rate
SLICE_SECONDS = 0.05  # interval of the sends of a throttled connection
ANSWER_SEEN_SECONDS = 1  # how long the client may take to read an error and close
REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE|OPTIONS|PATCH) /")
GO_ON = re.compile(rb"HTTP/1\.1 100 [^\r\n]*\r\n\r\n")  # interim: the body follows


class Lost(Exception):
    """The connection was dropped: no more data is delivered."""


class Line:
    def __init__(self, shared: Shared, client: socket.socket) -> None:
        self.shared = shared
        self.client, self.server = client, socket.socket()
        self.up = Way(self, "server", self.client, self.server)
        self.down = Way(self, "client", self.server, self.client)
        self.up.back, self.down.back = self.down, self.up
        self.lost = shared.rules.losing
        self.answer_due = False
        self._ended_well = False
        for end in (self.client, self.server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def carry(self) -> None:
        """Pass on data until both sides have closed, or the connection breaks."""
        try:
            await self._carry_or_refuse()
            self._ended_well = True
        except* OSError:
            pass  # one side is gone or the connection was reset: close() tells the other
        except* Lost:
            await self._swallow()

    def close(self) -> None:
        for end in (self.client, self.server):
            if not self._ended_well:  # close() then sends RST, as for a process that was killed
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def notice(self, towards: Side, piece: bytes) -> None:
        """Follow the HTTP requests and responses. Raises Refusal."""
        if towards == "client":
            self.answer_due &= bool(GO_ON.fullmatch(piece))
        elif not self.answer_due and REQUEST.match(piece):
            self.shared.rules.errors.judge(piece)
            self.answer_due = True

    async def _carry_or_refuse(self) -> None:
        await self.up.may_send(read_at=0)
        await asyncio.get_running_loop().sock_connect(self.server, self.shared.target)
        try:
            async with asyncio.TaskGroup() as tasks:
                for way in (self.up, self.down):
                    tasks.create_task(way.read())
                    tasks.create_task(way.write())
        except* Refusal as refusals:
            await self._refuse(b"".join(refusal.args[0] for refusal in refusals.exceptions))

    async def _refuse(self, answer: bytes) -> None:
        self.shared.counts["errors_answered"] += 1
        await self.down.send(answer, read_at=0)
        # A close with unread bytes sends RST, and the client would lose the response.
        self.client.shutdown(socket.SHUT_WR)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SEEN_SECONDS):
                await drain(self.client)

    async def _swallow(self) -> None:
        # Not even FIN is passed on. Lasts until the task is cancelled.
        await asyncio.gather(drain(self.client), drain(self.server))
        await asyncio.Event().wait()


class Way:
    """One direction of a connection."""

    back: Way

    def __init__(
        self, line: Line, towards: Side, source: socket.socket, sink: socket.socket
    ) -> None:
        self.line, self.towards, self.source, self.sink = line, towards, source, sink
        self.finished = asyncio.Event()
        self._held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES_HELD)
        self._broken: OSError | None = None
        self._sent_at, self._sent_bytes = 0.0, 0

    async def read(self) -> None:
        loop, piece = asyncio.get_running_loop(), b"?"
        while piece:
            try:
                piece = await loop.sock_recv(self.source, PIECE_BYTES)
            except OSError as error:  # the error is passed on in order, after the bytes before it
                self._broken, piece = error, b""
            await self._held.put((loop.time(), piece))

    async def write(self) -> None:
        """Pass on data and its end. Raises Lost, Refusal or OSError."""
        piece = b"?"
        try:
            while piece:
                read_at, piece = await self._held.get()
                await self.may_send(read_at)
                self.line.notice(self.towards, piece)
                await self.send(piece, read_at)
        finally:
            self.finished.set()
        if self._broken:
            raise self._broken
        with suppress(OSError):  # already closed; the other direction reads that
            self.sink.shutdown(socket.SHUT_WR)

    async def send(self, piece: bytes, read_at: float) -> None:
        rest = memoryview(piece)
        while rest:
            await self.may_send(read_at)
            try:
                sent = self.sink.send(rest[: self._portion(len(rest))])
            except BlockingIOError:
                await writable(self.sink)
            except OSError:
                self.finished.set()
                await self.back.finished.wait()  # bytes sent before the close still arrive
                raise
            else:
                rest = rest[sent:]
                self._count(sent)

    async def may_send(self, read_at: float) -> None:
        """Wait until the rules allow sending data that was read at `read_at`. Raises Lost."""
        loop, shared = asyncio.get_running_loop(), self.line.shared
        while not self.line.lost:
            rules = shared.rules
            free_at = self._sent_at + self._sent_bytes / rules.bytes_per_second
            go_at = math.inf if rules.frozen else max(read_at + rules.delay_seconds, free_at)
            if go_at <= loop.time():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(go_at):
                    await shared.changed.wait()
        raise Lost

    def _portion(self, n_bytes: int) -> int:
        rules = self.line.shared.rules
        slice_bytes = max(1, rules.bytes_per_second * SLICE_SECONDS)
        return int(min(n_bytes, slice_bytes, rules.cut.room(self)))

    def _count(self, sent: int) -> None:
        self._sent_at, self._sent_bytes = asyncio.get_running_loop().time(), sent
        self.line.shared.counts[f"bytes_to_{self.towards}"] += sent
        self.line.shared.rules.cut.count(self, sent)


async def writable(end: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(end, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(end)


async def drain(end: socket.socket) -> None:
    """Read and discard until the end."""
    with suppress(OSError):
        while await asyncio.get_running_loop().sock_recv(end, PIECE_BYTES):
            pass
