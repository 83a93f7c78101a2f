"""Run Redis commands from the event loop, pipelined over one connection.

Commands of one turn of the loop are sent in one write. A connection of the client library needs
several times as much CPU for a command.
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


class RedisUnavailable(Exception):
    """Redis did not reply in time, or the connection broke."""


class RedisPipeline:
    """One connection. It is opened when first used. If it breaks, it is opened again once."""

    def __init__(self, url: str, *, timeout: float, script: str = "") -> None:
        self._options: dict[str, Any] = dict(parse_url(url))
        self._script = script  # loaded with each connection, for EVALSHA
        self._pending: deque[tuple[bytes, Reply]] = deque()  # packed commands, in their order
        self._sent = 0  # how many of them were sent
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_send_scheduled = False
        self._is_retry = False
        self._watchdog = Watchdog(timeout, self._on_timeout)

    def execute(self, packed: bytes) -> Reply:
        """Send a command packed by `hiredis.pack_command`. Return the future of its reply.

        It raises RedisUnavailable, or the error of hiredis if Redis replies with an error.
        """
        loop = asyncio.get_running_loop()
        reply: Reply = loop.create_future()
        self._pending.append((packed, reply))
        self._watchdog.start()
        if self._connection is None:
            if self._connecting is None:
                self._connecting = loop.create_task(self._connect())
        elif not self._is_send_scheduled:
            self._is_send_scheduled = True
            loop.call_soon(self._send)
        return reply

    def close(self) -> None:
        if self._connecting:
            self._connecting.cancel()
        self._fail(RedisUnavailable("closed"))

    async def _connect(self) -> None:
        options, loop = self._options, asyncio.get_running_loop()
        try:
            if path := options.get("path"):
                _, connection = await loop.create_unix_connection(lambda: _Connection(self), path)
            else:
                host, port = options.get("host", "localhost"), options.get("port", 6379)
                tls = _tls(options)
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), host, port, ssl=tls
                )
        except OSError as error:
            self._fail(RedisUnavailable(repr(error)))
            return
        finally:
            self._connecting = None
        self._connection = connection
        hello = [(command, loop.create_future()) for command in self._hello()]
        self._pending.extendleft(reversed(hello))
        self._sent = 0
        self._send()

    def _hello(self) -> list[bytes]:
        """Return the commands that open a connection."""
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
        self._is_send_scheduled = False
        if self._connection is None:
            return
        waiting = [self._pending[n][0] for n in range(self._sent, len(self._pending))]
        self._sent = len(self._pending)
        self._connection.transport.write(b"".join(waiting))

    def received(self, reply: Any) -> None:
        """Set the reply of the oldest command. Called by the connection."""
        _, waiter = self._pending.popleft()
        self._sent -= 1
        self._is_retry = False
        if not waiter.done():  # it may be cancelled
            if isinstance(reply, Exception):
                waiter.set_exception(reply)
                waiter.exception()  # nobody awaits those that open a connection
            else:
                waiter.set_result(reply)
        self._watchdog.reset(is_waiting=bool(self._pending))

    def lost(self, connection: _Connection) -> None:
        """Connect again, once, and send the waiting commands. Called by the connection."""
        if connection is not self._connection:
            return
        self._connection, self._sent = None, 0
        if not self._pending:
            return
        if self._is_retry:
            self._fail(RedisUnavailable("The connection was lost twice."))
            return
        self._is_retry = True
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def _on_timeout(self) -> None:
        self._fail(RedisUnavailable("There is no reply in time."))

    def _fail(self, error: RedisUnavailable) -> None:
        """Close the connection and raise the error in all waiting calls."""
        self._watchdog.stop()
        connection, self._connection = self._connection, None
        pending, self._pending, self._sent = self._pending, deque(), 0
        self._is_retry = False
        if connection:
            connection.transport.abort()
        for _, reply in pending:
            if not reply.done():
                reply.set_exception(error)
                reply.exception()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, pipeline: RedisPipeline) -> None:
        self._pipeline = pipeline
        self._reader = hiredis.Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop has its own classes

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._pipeline.received(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self._pipeline.lost(self)


def _tls(options: dict[str, Any]) -> Any:
    """Return the TLS context for `rediss://`, as the client library makes it; else None."""
    named = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if options.get("connection_class") is not SSLConnection:
        return None
    return SSLConnection(**named).ssl_context.get()
