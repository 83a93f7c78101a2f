"""The hostile server: a thread with an event loop of its own, and counts for tests."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from typing import Any, Self

from tests.hostile.content import File
from tests.hostile.exchange import Exchange
from tests.hostile.honest import requested_range
from tests.hostile.tally import Request, Tally


class Peer:
    """A server on a free port of 127.0.0.1, and of ::1 if that is among the hosts.

    Its counts may be read from any thread at any time: the loop only ever adds to them.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        hosts: tuple[str, ...] = ("127.0.0.1",),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listeners = bound(hosts, port)
        self._files: dict[str, File] = {}
        self._tallies: dict[str, Tally] = {}
        self._requests: list[Request] = []
        self._writers: set[StreamWriter] = set()
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peer", daemon=True)
        self.port: int = self._listeners[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{bracketed(hosts[0])}:{self.port}"
        self._tls = tls
        self.connections = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._ask(self._listen())
        return self

    def __exit__(self, *error: object) -> None:
        self._ask(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def serve(self, path: str, file: File) -> str:
        """Return the address of the file. Another file may replace it; the counts go on."""
        self._tallies.setdefault(path, Tally())
        self._files[path] = file
        return self.url + path

    @property
    def requests(self) -> list[Request]:
        return list(self._requests)

    @property
    def open_now(self) -> int:
        return len(self._writers)

    def sent(self, path: str) -> int:
        """Return the number of body bytes written, or being written when the connection broke."""
        return self._tallies[path].body_bytes

    def sent_ranges(self, path: str) -> list[tuple[int, int]]:
        """Return the first byte and the number of bytes of the file in each response."""
        return [(span.first, span.count) for span in list(self._tallies[path].spans) if span.count]

    def ranges(self, path: str) -> list[tuple[int, int]]:
        """Return the first and last byte of each requested range, in the order of the requests."""
        size = self._files[path].size
        ranges = (requested_range(request, size) for request in list(self._tallies[path].requests))
        return [each for each in ranges if each]

    def most_at_once(self, path: str) -> int:
        """Return the largest number of requests that were served at once."""
        return self._tallies[path].most_at_once

    def _ask(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    # Everything below runs in the loop's thread.

    async def _listen(self) -> None:
        for listener in self._listeners:
            self._servers.append(
                await asyncio.start_server(self._talk, sock=listener, ssl=self._tls)
            )

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        talks = asyncio.all_tasks() - {asyncio.current_task()}
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close their sockets

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        try:
            while await self._answer(reader, writer, number):
                pass
            writer.close()  # written data is still sent
            await writer.wait_closed()
        except (ConnectionError, EOFError, asyncio.LimitOverrunError):
            pass  # the client disconnected, or does not speak HTTP
        except asyncio.CancelledError:
            pass  # not raised again: asyncio would log it
        finally:
            if not writer.is_closing():
                writer.transport.abort()
            self._writers.discard(writer)

    async def _answer(self, reader: StreamReader, writer: StreamWriter, number: int) -> bool:
        """Serve one request. Returns True if the connection is kept for another one."""
        request = read(await reader.readuntil(b"\r\n\r\n"))
        file = self._files.get(request.path, File(misbehave=not_found))
        tally = self._tallies.get(request.path, Tally())
        self._requests.append(request)
        tally.begin(request, number)
        exchange = Exchange((reader, writer), request, file, tally)
        exchange.nth_connection = tally.connections.index(number) + 1
        await exchange.answer()
        return exchange.keep_alive


async def not_found(exchange: Exchange) -> None:
    await exchange.page(404, "<h1>Nothing here</h1>")


def read(head: bytes) -> Request:
    """Parse a request head. Something that is not a request gets an unknown path."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, version, *_ = [*first.split(" "), "", ""]
    path, _, query = target.partition("?")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return Request(method, path, headers, query, version)


def bound(hosts: tuple[str, ...], port: int) -> list[socket.socket]:
    """Return one listening socket for each host, all on one port."""
    listeners: list[socket.socket] = []
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listeners.append(socket.create_server((host, port), family=family, backlog=1024))
        port = listeners[0].getsockname()[1]
    return listeners


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
