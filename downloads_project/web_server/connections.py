"""The connections of one process: limits and timeouts. Not thread-safe: for the event loop only."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from gunicorn.http.message import _ip_in_allow_list

from downloads_project.web_server.access_log import AccessLog
from downloads_project.web_server.shares import Shares

if TYPE_CHECKING:
    from downloads_project.web_server.http_connection import HttpConnection

WAITING = 1_000  # connections that may wait for their clients; up to 32 KiB each
HELD_BYTES = 64 * 1024 * 1024  # of bodies in memory
READ_BYTES = 64 * 1024  # the buffer is shared by all connections
LIMITS = ("limit_request_line", "limit_request_fields", "limit_request_field_size")
STOP_GRACE_SECONDS = 0.5  # for a request that is arriving when the process stops


LOCAL = ""  # the peer of a Unix socket
PROXIES = ""  # the key of all proxies, whose address does not identify a client


class Connections:
    """All connections of this process, and their shared state."""

    def __init__(
        self, application: Any, loop: asyncio.AbstractEventLoop, cfg: Any, log: Any, *, most: int
    ) -> None:
        self.application = application
        self.loop = loop
        self.log = log
        self.access_log = AccessLog()
        self.state: dict[str, Any] = {"stopping": asyncio.Event()}  # of the lifespan
        self.keepalive_seconds: int = cfg.keepalive
        self.limits = {name: getattr(cfg, name) for name in LIMITS}
        self.held_bytes = Shares(HELD_BYTES)
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.count = 0
        self.is_stopping = False
        self._cfg = cfg
        self._secure_headers = {
            name.lower().encode(): value.encode()
            for name, value in cfg.secure_scheme_headers.items()
        }
        self._most = most
        self._most_waiting = min(WAITING, most * 3 // 4)
        self._n_waiting = 0
        self._waiting: dict[str, dict[HttpConnection, None]] = {}  # by address, the oldest first

    def secure_headers_of(self, peer: str) -> dict[bytes, bytes]:
        """Return the headers that this peer may use to indicate HTTPS."""
        cfg = self._cfg
        if peer == LOCAL or _ip_in_allow_list(
            peer, cfg.forwarded_allow_ips, cfg.forwarded_allow_networks()
        ):
            return self._secure_headers
        return {}

    def opened(self) -> bool:
        """Return False if there is no room for one more."""
        self.count += 1
        return self.count <= self._most or self._make_room()

    def closed(self, connection: HttpConnection) -> None:
        self.count -= 1
        self.waits_no_more(connection)

    def waits(self, connection: HttpConnection) -> None:
        """Register a connection that waits for its client. Closes another one if too many wait."""
        waiting = self._waiting.setdefault(connection.client, {})
        self._n_waiting += connection not in waiting
        waiting[connection] = None
        if self._n_waiting > self._most_waiting:
            self._make_room()

    def waits_no_more(self, connection: HttpConnection) -> None:
        waiting = self._waiting.get(connection.client)
        if waiting and connection in waiting:
            del waiting[connection]
            self._n_waiting -= 1
            if not waiting:
                del self._waiting[connection.client]

    def sweep(self) -> None:
        """Time out connections past their deadline. Call it often."""
        now = monotonic()
        for waiting in list(self._waiting.values()):
            for connection in [each for each in waiting if each.deadline <= now]:
                connection.late()

    def stop(self) -> None:
        """Close idle connections. Requests in progress get their response."""
        self.is_stopping = True
        self.state["stopping"].set()
        grace = monotonic() + STOP_GRACE_SECONDS
        for waiting in list(self._waiting.values()):
            for connection in list(waiting):
                if connection.is_idle:
                    connection.close()
                elif not connection.request:
                    connection.deadline = min(connection.deadline, grace)

    def _make_room(self) -> bool:
        """Close the oldest waiting connection of the client with most; return False without one.

        Connections of proxies are never closed: they serve many clients.
        """
        groups = [each for client, each in self._waiting.items() if client != PROXIES]
        if not groups:
            return False
        largest = max(groups, key=len)
        next(iter(largest)).close()
        return True
