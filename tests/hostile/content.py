"""The served file: its content, which shows where each byte belongs, and its headers."""

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
# The content repeats after a prime number of bytes, which divides no part size: a part in the wrong
# place is detected.
PERIOD = 1_048_583
PIECE = 512 * 1024

Mode = Callable[["Exchange"], Awaitable[None]]


@dataclass(frozen=True)
class File:
    """A file, and how its server behaves: correctly, unless `misbehave` is set.

    `rate` is in bytes per second for each connection. `etag` is derived from seed and size, so that
    another content has another ETag.
    """

    size: int = 1_000_003
    seed: int = 1
    etag: str | None = STRONG
    last_modified: float | None = 1_600_000_000.0
    content_type: str | None = "application/octet-stream"
    disposition: str | None = None
    rate: float | None = None
    name: str = "file.bin"  # for modes that create an address for it
    misbehave: Mode | None = None

    def facts(self) -> dict[str, str]:
        """Return the headers that describe the file, for any range of it."""
        headers = {
            "ETag": self.etag and self.etag.format(seed=self.seed, size=self.size),
            "Last-Modified": self.last_modified and formatdate(self.last_modified, usegmt=True),
            "Content-Type": self.content_type,
            "Content-Disposition": self.disposition,
        }
        return {name: str(value) for name, value in headers.items() if value}

    def pieces(self, first: int, count: int, largest: int = PIECE) -> Iterator[memoryview]:
        """Yield `count` bytes from `first` on, without copying; also past the end of the file."""
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
        """Return the file that replaces this one at its address, of the same size."""
        later = self.last_modified and self.last_modified + 3600
        return replace(self, seed=self.seed + 1, last_modified=later)


def content(seed: int, first: int, count: int) -> bytes:
    return b"".join(File(seed=seed).pieces(first, count))


@lru_cache(maxsize=16)
def block(seed: int) -> memoryview:
    return memoryview(random.Random(seed).randbytes(PERIOD))
