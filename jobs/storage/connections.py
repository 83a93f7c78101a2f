"""HTTP connections to the store, which another thread can cut off whatever they wait for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import IO, Any

from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies
from urllib3 import (
    BaseHTTPResponse,
    HTTPConnectionPool,
    HTTPSConnectionPool,
    PoolManager,
    ProxyManager,
    Timeout,
)
from urllib3.connection import HTTPConnection, HTTPSConnection

CONNECT_SECONDS = 3
BLOCK_BYTES = 256 * 1024  # of a file that is sent
TICK_SECONDS = 0.05
Body = bytes | bytearray | memoryview | IO[bytes]


class _Traffic:
    """Bytes to and from the store, by all threads of this process: a sign of life.

    Threads may lose each other's additions; that it changes is enough.
    """

    moved_bytes = 0


def moved_bytes() -> int:
    return _Traffic.moved_bytes


def count(size_bytes: int) -> None:
    _Traffic.moved_bytes += size_bytes


class Abort:
    """Ends the requests of the threads that watch it. `set` may be interrupted, and called again.

    Not an Event: its lock, taken in Python, stays locked if a signal's handler raises inside.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._in_use: dict[int, _Connection] = {}  # by thread

    def set(self) -> None:
        self.is_set = True
        for connection in list(self._in_use.values()):
            connection.cut()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """In the thread whose requests end with it."""
        token = _abort.set(self)
        try:
            yield
        finally:
            self._in_use.pop(threading.get_ident(), None)
            _abort.reset(token)

    def use(self, connection: _Connection) -> None:
        """Raises ConnectionAbortedError."""
        self._in_use[threading.get_ident()] = connection
        self.check()  # after it is known: `set` may have looked just before

    def check(self) -> None:
        if self.is_set:
            raise ConnectionAbortedError("nobody waits for the answer any more")


_abort: ContextVar[Abort | None] = ContextVar("abort", default=None)


def pause(seconds: float) -> None:
    """Sleep, but no longer than until this thread's requests are aborted."""
    abort, ends = _abort.get(), time.monotonic() + seconds
    if abort is None:
        time.sleep(seconds)
        return
    while not abort.is_set and time.monotonic() < ends:
        time.sleep(TICK_SECONDS)
    abort.check()


class _Connection(HTTPConnection):
    _connected: socket.socket | None = None  # `sock` is forgotten once a response ends with it

    def __init__(self, *args: Any, **options: Any) -> None:
        self._send_seconds: float = options.pop("send_seconds")
        super().__init__(*args, **options)

    def connect(self) -> None:
        super().connect()
        self._connected = self.sock
        if abort := _abort.get():
            abort.check()

    def request(self, *args: Any, **options: Any) -> None:
        if abort := _abort.get():
            abort.use(self)
        if (body := options.get("body")) is not None:
            options["body"] = self._blocks(body)
        super().request(*args, **options)

    def _blocks(self, body: Body) -> Iterator[bytes | memoryview]:
        """Each has the time that a read has. The whole body would else have that of connecting:
        a timeout of a socket is one of all that `sendall` sends."""
        for block in _cut(body):
            self.sock.settimeout(self._send_seconds)  # the headers are sent: there is one
            yield block
            count(len(block))

    def cut(self) -> None:
        if self._connected:
            with suppress(OSError):  # it ended by itself
                # Of TLS the line below it alone: the reader must not see what is encrypted.
                socket.socket.shutdown(self._connected, socket.SHUT_RDWR)


def _cut(body: Body) -> Iterator[bytes | memoryview]:
    if isinstance(body, bytes | bytearray | memoryview):
        whole = memoryview(body)
        for start in range(0, len(whole), BLOCK_BYTES):
            yield whole[start : start + BLOCK_BYTES]
    else:
        while block := body.read(BLOCK_BYTES):
            yield block


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class StorageConnections:
    """Kept-alive connections to one endpoint. Proxies and trust are found as botocore finds them.

    Thread-safe, but not for use after a fork.
    """

    def __init__(
        self, endpoint: str, *, read_seconds: float, most: int, verify: str | None
    ) -> None:
        proxies = ProxyConfiguration(get_environ_proxies(endpoint))
        proxy = proxies.proxy_url_for(endpoint)
        options: dict[str, Any] = {
            "timeout": Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            "maxsize": most,
            "blocksize": BLOCK_BYTES,
        }
        if endpoint.startswith("https:"):
            trusted = verify or get_cert_path(True)
            options |= {"cert_reqs": "CERT_REQUIRED", "ca_certs": trusted}
        manager = PoolManager(**options)
        if proxy:
            headers = proxies.proxy_headers_for(proxy)
            manager = ProxyManager(proxy, proxy_headers=headers, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._pool = manager.connection_from_url(endpoint)
        self._pool.conn_kw["send_seconds"] = read_seconds
        # A proxy for http wants to know where to; one for https was told when it connected.
        self._before = endpoint if proxy and endpoint.startswith("http:") else ""

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: Body | None,
        preload_content: bool,
    ) -> BaseHTTPResponse:
        """One request, no matter what is answered. Raises urllib3's HTTPError."""
        return self._pool.urlopen(
            method,
            self._before + target,
            body=body,  # type: ignore[arg-type] # any buffer will do
            headers=headers,
            preload_content=preload_content,
            retries=False,
            redirect=False,
            assert_same_host=False,
            decode_content=False,
        )
