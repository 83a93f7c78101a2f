"""Asking one file of a hostile server, as bytes, to see what really comes."""

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


def shows(*modes: str) -> pytest.MarkDecorator:
    """The test shows what these modes do."""
    return pytest.mark.parametrize("mode", modes)


def shown_by(tests: ModuleType) -> set[str]:
    """The modes that the tests of a module show."""
    marks = [mark for test in vars(tests).values() for mark in getattr(test, "pytestmark", [])]
    return {mode for mark in marks if mark.args[:1] == ("mode",) for mode in mark.args[1]}


class Visit:
    """One file of the server's, asked for as raw bytes on a new connection each time."""

    def __init__(self, peer: Peer, file: File) -> None:
        self.peer = peer
        self.url = peer.serve("/file", file)

    def ask(self, asked: str | None = "1000-1999", query: str = "", **headers: str) -> Answer:
        return exchange(self.url, self.request(asked, query, **headers))

    def request(self, asked: str | None, query: str = "", **headers: str) -> bytes:
        told = {"Host": f"127.0.0.1:{self.peer.port}", "Connection": "close"}
        if asked:
            told["Range"] = f"bytes={asked}"
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"GET /file{query} HTTP/1.1", *(f"{k}: {v}" for k, v in told.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    def open(self, asked: str | None = "1000-1999") -> socket.socket:
        line = connect(self.url)
        line.sendall(self.request(asked))
        return line

    def follow(self, answer: Answer, asked: str = "1000-1999") -> Answer:
        _, _, query = answer.headers["Location"].partition("?")
        return self.ask(asked, f"?{query}")


def expected(first: int, count: int, seed: int = 1) -> bytes:
    return content(seed, first, count)


def read_until_silence(line: socket.socket, end: bytes, seconds: float = 0.3) -> bytes:
    """Return what comes up to `end`, and then until nothing does; fail if the line closes."""
    found = b""
    with suppress(TimeoutError):
        while True:
            line.settimeout(seconds if found.endswith(end) else 20)
            piece = line.recv(65536)
            assert piece, "closed"
            found += piece
    return found


def read_exactly(line: socket.socket, count: int) -> Iterator[bytes]:
    while count:
        piece = line.recv(min(count, 1_000_000))
        assert piece, "closed"
        yield piece
        count -= len(piece)
