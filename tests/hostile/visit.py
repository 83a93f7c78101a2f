"""A raw client for one file of the hostile server, to check what it sends on the wire."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType

import pytest

from tests.hostile.content import File, content
from tests.hostile.server import Peer
from tests.wire import Answer, connect, exchange

SIZE = File().size


def covers(*modes: str) -> pytest.MarkDecorator:
    """Run the test with each of these modes."""
    return pytest.mark.parametrize("mode", modes)


def covered_by(tests: ModuleType) -> set[str]:
    """Return the modes that the tests of a module cover."""
    marks = [mark for test in vars(tests).values() for mark in getattr(test, "pytestmark", [])]
    return {mode for mark in marks if mark.args[:1] == ("mode",) for mode in mark.args[1]}


class Visit:
    """One file of the server, requested as raw bytes on a new connection each time."""

    def __init__(self, peer: Peer, file: File) -> None:
        self.peer = peer
        self.url = peer.serve("/file", file)

    def ask(self, byte_range: str | None = "1000-1999", query: str = "", **headers: str) -> Answer:
        return exchange(self.url, self.request(byte_range, query, **headers))

    def request(self, byte_range: str | None, query: str = "", **headers: str) -> bytes:
        sent_headers = {"Host": f"127.0.0.1:{self.peer.port}", "Connection": "close"}
        if byte_range:
            sent_headers["Range"] = f"bytes={byte_range}"
        sent_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"GET /file{query} HTTP/1.1", *(f"{k}: {v}" for k, v in sent_headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    def open(self, byte_range: str | None = "1000-1999") -> socket.socket:
        connection = connect(self.url)
        connection.sendall(self.request(byte_range))
        return connection

    def follow(self, answer: Answer, byte_range: str = "1000-1999") -> Answer:
        _, _, query = answer.headers["Location"].partition("?")
        return self.ask(byte_range, f"?{query}")


def expected(first: int, count: int, seed: int = 1) -> bytes:
    return content(seed, first, count)


def read_until_silence(connection: socket.socket, end: bytes, seconds: float = 0.3) -> bytes:
    """Read up to `end`, and then until nothing more arrives; fail if the connection closes."""
    found = b""
    with suppress(TimeoutError):
        while True:
            connection.settimeout(seconds if found.endswith(end) else 20)
            piece = connection.recv(65536)
            assert piece, "closed"
            found += piece
    return found


def read_exactly(connection: socket.socket, count: int) -> Iterator[bytes]:
    while count:
        piece = connection.recv(min(count, 1_000_000))
        assert piece, "closed"
        yield piece
        count -= len(piece)
