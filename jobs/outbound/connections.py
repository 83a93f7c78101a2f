"""Connections that another thread can cut off, whatever is being waited for on them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from jobs.outbound.response_head import TolerantResponse

# A pool writes the target of a request anew, and a signed link may not survive that. No header of
# HTTP can have this name.
EXACT_TARGET = ":path"


class TlsSocket(ssl.SSLSocket):
    def shutdown(self, how: int) -> None:
        """Of the line alone. The library's would also leave the seal, and whoever reads at that
        moment would get what comes next as it lies on the line."""
        socket.socket.shutdown(self, how)


class RemoteConnection(HTTPConnection):
    response_class = TolerantResponse
    _used: socket.socket | None = None
    _is_cut = False

    def connect(self) -> None:
        super().connect()
        self._used = self.sock  # which http.client forgets once an answer ends with the line
        if self._is_cut:
            self.cut()

    def request(  # type: ignore[override] # as in urllib3
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Ask for what the header EXACT_TARGET says, if there is one, and not for `url`."""
        sent = dict(headers or {})
        super().request(method, sent.pop(EXACT_TARGET, url), body, sent, **options)

    def cut(self) -> None:
        """Whoever reads from it gets what has come, if anything, and then the end."""
        self._is_cut = True
        if self._used:
            with suppress(OSError):  # it ended by itself
                self._used.shutdown(socket.SHUT_RDWR)


class TlsConnection(RemoteConnection, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        # A connection that ends without saying so in TLS was cut off, maybe by somebody in between:
        # a body that ends with it is incomplete (RFC 9112, 9.8). Python would call it complete.
        assert isinstance(self.sock, ssl.SSLSocket)  # after connecting
        self.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined] # not in typeshed


class ConnectionPool(HTTPConnectionPool):
    """To one address."""

    ConnectionCls = RemoteConnection

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._connections: WeakSet[RemoteConnection] = WeakSet()

    def _new_conn(self) -> RemoteConnection:
        line = super()._new_conn()
        assert isinstance(line, RemoteConnection)  # by ConnectionCls
        self._connections.add(line)
        return line

    def cut(self) -> None:
        """All that there are, and let there be no other."""
        self.close()
        for line in list(self._connections):
            line.cut()


class TlsConnectionPool(ConnectionPool, HTTPSConnectionPool):  # type: ignore[misc] # its lines are _Lines, too
    ConnectionCls = TlsConnection
