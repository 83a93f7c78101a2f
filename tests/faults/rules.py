"""The combined commands to a proxy. The proxy changes them, its connections read them."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.faults.line import Way

Side = Literal["server", "client"]


class Refusal(Exception):
    """The argument is sent to the client in place of the response."""


@dataclass(eq=False)
class Cut:
    n_bytes: int
    towards: Side
    times: int
    carried: Counter[Way] = field(default_factory=Counter)

    def room(self, way: Way) -> float:
        return self.n_bytes - self.carried[way] if self._concerns(way) else math.inf

    def count(self, way: Way, sent: int) -> None:
        """Count the bytes. Raises ConnectionResetError where the connection must break."""
        if self._concerns(way):
            self.carried[way] += sent
            if self.carried[way] >= self.n_bytes:
                self.times -= 1
                raise ConnectionResetError("cut")

    def _concerns(self, way: Way) -> bool:
        return self.times > 0 and way.towards == self.towards


@dataclass(frozen=True)
class Errors:
    share: float
    chance: random.Random
    status: int
    code: str

    def judge(self, request: bytes) -> None:
        """Raise Refusal for requests that get an error."""
        if self.chance.random() < self.share:
            body = f"<Error><Code>{self.code}</Code><Message>Not now.</Message></Error>"
            head = (
                f"HTTP/1.1 {self.status} {self.code}\r\nContent-Type: application/xml\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            raise Refusal((head if request.startswith(b"HEAD") else head + body).encode())


@dataclass(frozen=True)
class Rules:
    """The combined commands so far."""

    listening: bool = True
    frozen: bool = False
    losing: bool = False
    delay_seconds: float = 0
    bytes_per_second: float = math.inf
    cut: Cut = field(default_factory=lambda: Cut(0, "server", times=0))
    errors: Errors = field(default_factory=lambda: Errors(0, random.Random(), 0, ""))


@dataclass
class Shared:
    """The state that the connections of a proxy share."""

    target: tuple[str, int]
    rules: Rules = field(default_factory=Rules)
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # replaced after each change
    counts: Counter[str] = field(default_factory=Counter)
