"""Connections that another thread can abort, whatever they wait for."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any
from weakref import WeakSet

import certifi
from django.conf import settings
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from jobs.outbound.response_head import TolerantResponse
from jobs.outbound.url_parser import ParsedUrl

# urllib3 normalizes the target of a request, which may break a signed URL. So the exact target is
# passed as a header, with a name that no HTTP header can have.
EXACT_TARGET = ":path"
CONNECT_SECONDS = 10


class TlsSocket(ssl.SSLSocket):
    """A TLS socket that can be shut down while another thread reads from it."""

    def shutdown(self, how: int) -> None:
        """Shut down the TCP connection only.

        SSLSocket.shutdown also drops TLS: the reader would get encrypted data.
        """
        socket.socket.shutdown(self, how)


class RemoteConnection(HTTPConnection):
    """An HTTP connection that can be aborted."""

    response_class = TolerantResponse
    _connected: socket.socket | None = None
    _is_aborted = False

    def connect(self) -> None:
        super().connect()
        self._connected = self.sock  # http.client drops it when a response closes the connection
        if self._is_aborted:
            self.abort()

    def request(  # type: ignore[override] # as in urllib3
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Send the request, to the target in the header EXACT_TARGET if there is one."""
        sent = dict(headers or {})
        super().request(method, sent.pop(EXACT_TARGET, url), body, sent, **options)

    def abort(self) -> None:
        """End the connection. A thread that reads from it gets the end of the data."""
        self._is_aborted = True
        if self._connected:
            with suppress(OSError):  # it is closed already
                self._connected.shutdown(socket.SHUT_RDWR)


class TlsConnection(RemoteConnection, HTTPSConnection):
    """An HTTPS connection that can be aborted."""

    def connect(self) -> None:
        super().connect()
        # A connection that ends without a TLS close_notify may have been cut by an attacker: a body
        # that ends there is incomplete (RFC 9112, 9.8). By default, Python takes it for complete.
        assert isinstance(self.sock, ssl.SSLSocket)  # after connecting
        self.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined] # not in typeshed


class ConnectionPool(HTTPConnectionPool):
    """The connections to one address."""

    ConnectionCls = RemoteConnection

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._connections: WeakSet[RemoteConnection] = WeakSet()

    def _new_conn(self) -> RemoteConnection:
        connection = super()._new_conn()
        assert isinstance(connection, RemoteConnection)  # by ConnectionCls
        self._connections.add(connection)
        return connection

    def abort(self) -> None:
        """Abort all connections, and refuse new ones."""
        self.close()
        for connection in list(self._connections):
            connection.abort()


class TlsConnectionPool(ConnectionPool, HTTPSConnectionPool):  # type: ignore[misc] # same kind of connections
    ConnectionCls = TlsConnection


def connection_pool_of(target: ParsedUrl, address: str, *, connections: int) -> ConnectionPool:
    """Return a pool of connections to one address of the target. Opens none yet."""
    timeout = Timeout(connect=CONNECT_SECONDS, read=settings.REMOTE_SILENT_SECONDS)
    if target.scheme == "http":
        return ConnectionPool(address, target.port, timeout=timeout, maxsize=connections)
    return TlsConnectionPool(
        address,
        target.port,
        timeout=timeout,
        maxsize=connections,
        ssl_context=_tls_context(),
        server_hostname=target.host,  # for the certificate too
    )


@cache
def _tls_context() -> ssl.SSLContext:
    """Return a TLS context with the system's certificate authorities, and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.sslsocket_class = TlsSocket
    return context
