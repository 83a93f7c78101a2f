"""HTTP connections to the store that another thread can abort, whatever they wait for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

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

from jobs.storage.request_body import BLOCK_BYTES, Body, request_body_blocks
from jobs.storage.traffic import count_traffic

CONNECT_SECONDS = 3
TICK_SECONDS = 0.05


class Abort:
    """Aborts the requests of the threads inside `watched`. `set` may be interrupted and repeated.

    Not an Event: if a signal handler raises inside its methods, its lock stays locked.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._in_use: dict[int, _Connection] = {}  # by thread

    def set(self) -> None:
        """Abort all requests, and those to come."""
        self.is_set = True
        for connection in list(self._in_use.values()):
            connection.abort()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Context in which this thread's requests can be aborted."""
        token = _abort.set(self)
        try:
            yield
        finally:
            self._in_use.pop(threading.get_ident(), None)
            _abort.reset(token)

    def use(self, connection: _Connection) -> None:
        """Register the connection of this thread. Raises ConnectionAbortedError."""
        self._in_use[threading.get_ident()] = connection
        self.check()  # after registering: `set` may have run just before

    def check(self) -> None:
        """Raises ConnectionAbortedError if requests are aborted."""
        if self.is_set:
            raise ConnectionAbortedError("the response is no longer needed")


_abort: ContextVar[Abort | None] = ContextVar("abort", default=None)


def abortable_pause(seconds: float) -> None:
    """Sleep, until this thread's requests are aborted. Raises ConnectionAbortedError then."""
    abort, ends = _abort.get(), time.monotonic() + seconds
    if abort is None:
        time.sleep(seconds)
        return
    while not abort.is_set and time.monotonic() < ends:
        time.sleep(TICK_SECONDS)
    abort.check()


class _Connection(HTTPConnection):
    _connected: socket.socket | None = (
        None  # `sock` becomes None when the response closes the connection
    )

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
        """Yield the body in blocks, each with a timeout of its own.

        `sendall` has one timeout for all of its data: that of connecting, for the whole body.
        """
        for block in request_body_blocks(body):
            self.sock.settimeout(self._send_seconds)  # there is a socket: the headers are sent
            yield block
            count_traffic(len(block))

    def abort(self) -> None:
        """Make pending reads and writes fail."""
        if self._connected:
            with suppress(OSError):  # it is closed already
                # Shut down TCP only: SSLSocket.shutdown would let the reader see encrypted data.
                socket.socket.shutdown(self._connected, socket.SHUT_RDWR)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class StorageConnections:
    """Persistent connections to one endpoint, with proxies and certificates as in botocore.

    Thread-safe, but not after a fork.
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
        # Over a proxy, http needs absolute URLs; https uses CONNECT.
        self._url_prefix = endpoint if proxy and endpoint.startswith("http:") else ""

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: Body | None,
        preload_content: bool,
    ) -> BaseHTTPResponse:
        """Send one request and return the response, whatever its status. Raises HTTPError."""
        return self._pool.urlopen(
            method,
            self._url_prefix + target,
            body=body,  # type: ignore[arg-type] # any buffer will do
            headers=headers,
            preload_content=preload_content,
            retries=False,
            redirect=False,
            assert_same_host=False,
            decode_content=False,
        )
