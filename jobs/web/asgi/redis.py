"""Redis asked from the event loop: commands over one connection, pipelined.

What is asked for in one turn of the loop goes out in one write. The client library's own
connections cost several times as much a command.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import hiredis
import structlog
from redis.asyncio.connection import SSLConnection, parse_url

from jobs.web.asgi.watchdog import Watchdog

log = structlog.get_logger(__name__)

Reply = asyncio.Future[Any]


class Unavailable(Exception):
    """Redis does not answer, or not in time."""


class Pipeline:
    """One connection. It is made when first asked; one that was cut is made anew at once, once."""

    def __init__(self, url: str, *, answer_seconds: float, script: str = "") -> None:
        self._options: dict[str, Any] = dict(parse_url(url))
        self._script = script  # loaded with each connection, for EVALSHA
        self._pending: deque[tuple[bytes, Reply]] = deque()  # packed commands, in their order
        self._sent = 0  # how many of them
        self._line: _Line | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_to_send = False
        self._is_retry = False
        self._watchdog = Watchdog(answer_seconds, self._on_silence)

    def ask(self, packed: bytes) -> Reply:
        """The reply to a command that `hiredis.pack_command` packed.

        Raises Unavailable, and hiredis' error where Redis refuses.
        """
        loop = asyncio.get_running_loop()
        reply: Reply = loop.create_future()
        self._pending.append((packed, reply))
        self._watchdog.asked()
        if self._line is None:
            if self._connecting is None:
                self._connecting = loop.create_task(self._connect())
        elif not self._is_to_send:
            self._is_to_send = True
            loop.call_soon(self._send)
        return reply

    def close(self) -> None:
        if self._connecting:
            self._connecting.cancel()
        self._fail(Unavailable("closed"))

    async def _connect(self) -> None:
        options, loop = self._options, asyncio.get_running_loop()
        try:
            if path := options.get("path"):
                _, line = await loop.create_unix_connection(lambda: _Line(self), path)
            else:
                host, port = options.get("host", "localhost"), options.get("port", 6379)
                tls = _tls(options)
                _, line = await loop.create_connection(lambda: _Line(self), host, port, ssl=tls)
        except OSError as error:
            self._fail(Unavailable(repr(error)))
            return
        finally:
            self._connecting = None
        self._line = line
        hello = [(command, loop.create_future()) for command in self._hello()]
        self._pending.extendleft(reversed(hello))
        self._sent = 0
        self._send()

    def _hello(self) -> list[bytes]:
        """What opens a connection."""
        commands: list[tuple[Any, ...]] = []
        if password := self._options.get("password"):
            user = self._options.get("username")
            commands.append(("AUTH", user, password) if user else ("AUTH", password))
        if database := self._options.get("db"):
            commands.append(("SELECT", database))
        if self._script:
            commands.append(("SCRIPT", "LOAD", self._script))
        return [hiredis.pack_command(command) for command in commands]

    def _send(self) -> None:
        self._is_to_send = False
        if self._line is None:
            return
        waiting = [self._pending[n][0] for n in range(self._sent, len(self._pending))]
        self._sent = len(self._pending)
        self._line.transport.write(b"".join(waiting))

    def received(self, reply: Any) -> None:
        """The line calls."""
        _, waiter = self._pending.popleft()
        self._sent -= 1
        self._is_retry = False
        if not waiter.done():  # else whoever waited is gone
            if isinstance(reply, Exception):
                waiter.set_exception(reply)
                waiter.exception()  # nobody waits for those that open a connection
            else:
                waiter.set_result(reply)
        self._watchdog.heard(is_waiting=bool(self._pending))

    def lost(self, line: _Line) -> None:
        """The line calls: as when Redis restarts. Who waits is asked for again, once."""
        if line is not self._line:
            return
        self._line, self._sent = None, 0
        if not self._pending:
            return
        if self._is_retry:
            self._fail(Unavailable("The connection was lost twice."))
            return
        self._is_retry = True
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def _on_silence(self) -> None:
        self._fail(Unavailable("There is no answer in time."))

    def _fail(self, error: Unavailable) -> None:
        """Give up the connection, and whoever waits for it."""
        self._watchdog.stop()
        line, self._line = self._line, None
        pending, self._pending, self._sent = self._pending, deque(), 0
        self._is_retry = False
        if line:
            line.transport.abort()
        for _, reply in pending:
            if not reply.done():
                reply.set_exception(error)
                reply.exception()


class _Line(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._reader = hiredis.Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._pipeline.received(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self._pipeline.lost(self)


def _tls(options: dict[str, Any]) -> Any:
    """For `rediss://`, as the client library's connections have it."""
    named = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if options.get("connection_class") is not SSLConnection:
        return None
    return SSLConnection(**named).ssl_context.get()
