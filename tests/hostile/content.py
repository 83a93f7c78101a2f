"""The file that is served: its bytes, which tell where they belong, and what is said about it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hostile.exchange import Exchange

STRONG = '"{seed}-{size}"'
WEAK = 'W/"{seed}-{size}"'
# The content repeats after a prime number of bytes, of which no part size is a multiple: a part
# in the wrong place shows.
PERIOD = 1_048_583
PIECE = 512 * 1024

Mode = Callable[["Exchange"], Awaitable[None]]


@dataclass(frozen=True)
class File:
    """A file, and how its server behaves: well, unless `misbehave` answers in its place.

    `rate` is in bytes a second for each connection. `etag` is filled in with seed and size, so
    that another content has another.
    """

    size: int = 1_000_003
    seed: int = 1
    etag: str | None = STRONG
    last_modified: float | None = 1_600_000_000.0
    content_type: str | None = "application/octet-stream"
    disposition: str | None = None
    rate: float | None = None
    name: str = "file.bin"  # for whoever makes an address for it
    misbehave: Mode | None = None

    def facts(self) -> dict[str, str]:
        """The headers that tell of the file, whatever part of it is sent."""
        told = {
            "ETag": self.etag and self.etag.format(seed=self.seed, size=self.size),
            "Last-Modified": self.last_modified and formatdate(self.last_modified, usegmt=True),
            "Content-Type": self.content_type,
            "Content-Disposition": self.disposition,
        }
        return {name: str(value) for name, value in told.items() if value}

    def pieces(self, first: int, count: int, largest: int = PIECE) -> Iterator[memoryview]:
        """`count` bytes from `first` on, without copying; also past the end of the file."""
        whole = block(self.seed)
        while count > 0:
            at = first % PERIOD
            piece = whole[at : at + min(count, largest)]
            yield piece
            first += len(piece)
            count -= len(piece)

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for piece in self.pieces(0, self.size):
            digest.update(piece)
        return digest.hexdigest()

    def successor(self) -> File:
        """What is at the address after somebody put another file there, of the same size."""
        later = self.last_modified and self.last_modified + 3600
        return replace(self, seed=self.seed + 1, last_modified=later)


def content(seed: int, first: int, count: int) -> bytes:
    return b"".join(File(seed=seed).pieces(first, count))


@lru_cache(maxsize=16)
def block(seed: int) -> memoryview:
    return memoryview(random.Random(seed).randbytes(PERIOD))
