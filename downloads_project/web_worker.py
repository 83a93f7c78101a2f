"""How the web process lives with slow clients: they wait, its threads do not.

gunicorn gives every connection to a thread, which reads the request, so that as many slow clients
as there are threads stop the service. Here the main thread collects requests, each in its Arrival,
and a thread gets one that is whole. Longer ones share half of the threads among them. Closing is
the main thread's too: it takes as long as the client likes, up to LINGER_SECONDS.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http.errors import InvalidHeader
from gunicorn.http.wsgi import Response, default_environ
from gunicorn.workers.gthread import ThreadWorker

from downloads_project.arrivals import RECEIVE_SECONDS, Arrival, PatientUnreader
from downloads_project.bodies import Streamed, is_arriving, is_short, receive
from downloads_project.refusals import (
    INTERNAL,
    OVERLOADED,
    SLOW_BODY,
    SLOW_HEADERS,
    Refusal,
    Refused,
    refusal_of,
)

KEPT_FREE = 32  # of the connections that a process may have: so many come in between two looks
LINGER_SECONDS = 2  # a client that still sends must read our answer before the line is reset
LINGER_BYTES = 16 * 1024 * 1024  # as much of what it sends is thrown away meanwhile


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's, with other ways in and out for connections, and problem+json for errors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lingering_conns: deque[Any] = deque()  # like pending_conns, the first to expire first
        self._places = threading.BoundedSemaphore(max(1, self.cfg.threads // 2))

    # In the main thread

    def accept(self, listener: Any) -> None:
        """Take a connection; where there is hardly room for more, an idle one makes room."""
        super().accept(listener)
        if self.nr_conns > self.worker_connections - KEPT_FREE:
            self._make_room()

    def _make_room(self) -> None:
        silent = (conn for conn in self.pending_conns if not conn.arrival.came)
        if conn := next(silent, None):  # the one that has said nothing for longest
            self._wait_no_more(conn, self.pending_conns)
            self._drop(conn)
        elif self.keepalived_conns:
            conn = self.keepalived_conns[0]
            self._wait_no_more(conn, self.keepalived_conns)
            self._drop(conn)

    def enqueue_req(self, conn: Any) -> None:
        """A connection that is new, or has something to read: collect its next request."""
        conn.arrival = Arrival(conn.parser.unreader.take_buffered() if conn.parser else b"")
        conn.timeout = time.monotonic() + RECEIVE_SECONDS
        self._wait(conn, self.pending_conns, self.on_pending_socket_readable)
        self.on_pending_socket_readable(conn, conn.sock)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        arrival: Arrival = conn.arrival
        if not arrival.is_for_a_thread:
            piece = _read_now(client, arrival.room)
            if piece is None:
                return
            arrival.take(piece)
        if arrival.is_for_a_thread:
            self._wait_no_more(conn, self.pending_conns)
            super().enqueue_req(conn)
        elif arrival.has_ended:
            self._wait_no_more(conn, self.pending_conns)
            self._drop(conn)

    def murder_pending(self) -> None:
        """Whose time is over; gunicorn looks each second at least."""
        for conn in _expired(self.pending_conns):
            self._wait_no_more(conn, self.pending_conns)
            if not conn.arrival.came:  # it has asked for nothing
                self._drop(conn)
                continue
            late = SLOW_BODY if conn.arrival.head_bytes else SLOW_HEADERS
            self.handle_error(None, conn.sock, conn.client, Refused(late))
            self._linger(conn)
        for conn in _expired(self.lingering_conns):
            self._wait_no_more(conn, self.lingering_conns)
            self._drop(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        if fs.exception() is None and not fs.result():
            self._linger(conn)
        else:
            super().finish_request(conn, fs)

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits no longer for a request than for another one."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _linger(self, conn: Any) -> None:
        """Say that we are done, and read on till the client is: a reset may cost it our answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it is gone
            self._drop(conn)
            return
        conn.timeout, conn.thrown_away_bytes = time.monotonic() + LINGER_SECONDS, 0
        self._wait(conn, self.lingering_conns, self._throw_away)
        self._throw_away(conn, conn.sock)

    def _throw_away(self, conn: Any, client: Any) -> None:
        piece = _read_now(client, 65536)
        if piece is None:
            return
        conn.thrown_away_bytes += len(piece)
        if not piece or conn.thrown_away_bytes > LINGER_BYTES:
            self._wait_no_more(conn, self.lingering_conns)
            self._drop(conn)

    def _wait(self, conn: Any, waiting: deque[Any], readable: Any) -> None:
        conn.sock.setblocking(False)
        waiting.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(readable, conn))

    def _wait_no_more(self, conn: Any, waiting: deque[Any]) -> None:
        waiting.remove(conn)
        self.poller.unregister(conn.sock)

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        util.close(conn.sock)

    # In a thread

    def handle(self, conn: Any) -> Any:
        conn.sock.setblocking(True)
        if not conn.initialized:
            conn.init()
            conn.parser.unreader = PatientUnreader(conn.sock)
        conn.parser.unreader.begin(bytes(conn.arrival.came))
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> bool:
        conn.parser.unreader.end_of_head()
        if not is_arriving(req):
            return self._answer(req, conn)
        with self._place():
            if not is_short(req):
                req.force_close()  # its rest may stay unread, and the answer has to say so
                req.body = Streamed(req, conn.sock)
                return self._answer(req, conn)
            receive(req, conn.sock)
        return self._answer(req, conn)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """The right to wait for a body: half of the threads stay free for who has sent it all."""
        if not self._places.acquire(blocking=False):
            raise Refused(OVERLOADED)
        try:
            yield
        finally:
            self._places.release()

    def _answer(self, req: Any, conn: Any) -> bool:
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.info("ip=%s did not take its answer", (conn.client or [""])[0])
            return False

    # In either

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Where no request, or none that is valid, was read: gunicorn answers with HTML here."""
        refusal, request_id = refusal_of(exc), uuid.uuid4().hex
        if refusal is INTERNAL:
            self.log.exception("request %s broke", request_id)
        else:
            self.log.warning("Invalid request from ip=%s: %s", (addr or [""])[0], exc)
        if req is None and isinstance(exc, InvalidHeader):
            req = exc.req
        if req is not None:
            self._log_access(req, client, addr, refusal, request_id)
        try:
            util.write_nonblock(client, refusal.answer(request_id))
        except OSError:
            self.log.debug("nobody took the answer to %s", request_id)

    def _log_access(
        self, req: Any, client: Any, addr: Any, refusal: Refusal, request_id: str
    ) -> None:
        environ = default_environ(req, client, self.cfg) | {"REMOTE_ADDR": (addr or [""])[0]}
        response = Response(req, client, self.cfg)
        response.start_response(
            f"{refusal.status.value} {refusal.status.phrase}", [("X-Request-ID", request_id)]
        )
        response.sent = len(refusal.body(request_id))
        self.log.access(response, req, environ, timedelta())


def _read_now(client: Any, most: int) -> bytes | None:
    """None where nothing is there yet; empty where nothing will come."""
    try:
        return bytes(client.recv(most))
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _expired(waiting: deque[Any]) -> list[Any]:
    now, found = time.monotonic(), []
    for conn in waiting:
        if conn.timeout > now:
            break
        found.append(conn)
    return found
