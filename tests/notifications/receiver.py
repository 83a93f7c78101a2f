"""A receiver of webhooks: an HTTP server on a free port that records requests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Call:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float = field(default_factory=time.monotonic, compare=False)


class Receiver:
    """Responds with the next of `statuses`, and with 204 after the last one.

    Status 0: no response until `release` or the end. Status -1: an endless header, one byte at a
    time. `first` is written unchanged before each response.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.statuses: list[int] = []
        self.location = ""
        self.retry_after = ""
        self.first = b""
        self.body = b""
        self.stalls = False  # keep the connection open after the body, which has no length then
        self.came = threading.Event()
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?token=of-alice"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def release(self) -> None:
        self.released.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that its shutdown waits for theirs
    block_on_close = True

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.calls.append(Call(self.path, headers, body))
        status = receiver.statuses.pop(0) if receiver.statuses else 204
        receiver.came.set()
        if status == -1:
            self._drip()
        elif status == 0:
            receiver.released.wait(10)
        else:
            self._answer(status)

    def do_GET(self) -> None:
        """Record a GET, which would show that a redirect was followed."""
        self.server.receiver.calls.append(Call(self.path, {}, b""))
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.wfile.write(self.server.receiver.first)
        self.send_response(status)
        if self.server.receiver.location:
            self.send_header("Location", self.server.receiver.location)
        if self.server.receiver.retry_after:
            self.send_header("Retry-After", self.server.receiver.retry_after)
        receiver = self.server.receiver
        if not receiver.stalls:
            self.send_header("Content-Length", str(len(receiver.body)))
        self.end_headers()
        self.wfile.write(receiver.body)
        if receiver.stalls:
            self.wfile.flush()
            receiver.released.wait(10)

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
        while not self.server.receiver.released.wait(0.02):
            self.wfile.write(b"x")

    def log_message(self, *args: Any) -> None:
        pass
