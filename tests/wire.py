"""HTTP over plain sockets, for requests that client libraries cannot send, or not as slowly."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes
    rest: bytes  # bytes after the response

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def connect(url: str, seconds: float = 10) -> socket.socket:
    to = urlsplit(url)
    assert to.hostname
    return socket.create_connection((to.hostname, to.port or 80), seconds)


def exchange(url: str, *parts: bytes) -> Answer:
    """Send the parts, and return the response after the service closes the connection."""
    with connect(url) as line:
        for part in parts:
            line.sendall(part)
        return read_answer(line)


def read_answer(line: socket.socket) -> Answer:
    """Read until the connection is closed or reset, and return the response."""
    found = b""
    with suppress(ConnectionResetError):
        while piece := line.recv(65536):
            found += piece
    assert found, "closed without a response"
    head, _, body = found.partition(b"\r\n\r\n")
    first, _, fields = head.partition(b"\r\n")
    headers = BytesHeaderParser().parsebytes(fields)
    length = int(headers.get("Content-Length", len(body)))
    return Answer(int(first.split()[1]), headers, body[:length], body[length:])
