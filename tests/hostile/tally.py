"""The requests for one address and what was sent from it. Written in the server's loop only."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """`path` is without the query; the names of `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    query: str = ""
    version: str = "HTTP/1.1"
    at: float = field(default_factory=time.monotonic)  # monotonic clock


@dataclass
class Span:
    """A run of bytes of the file that were sent: it grows while they are sent."""

    first: int
    count: int = 0


@dataclass
class Tally:
    requests: list[Request] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    body_bytes: int = 0
    under_way: int = 0
    most_at_once: int = 0
    connections: list[int] = field(default_factory=list)  # in the order of arrival

    def begin(self, request: Request, connection: int) -> None:
        self.requests.append(request)
        if connection not in self.connections:
            self.connections.append(connection)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)

    def end(self) -> None:
        self.under_way -= 1
