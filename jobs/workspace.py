"""What a builder is given: sources to read, an output to write, somebody to tell.

Builders know only this contract; runner.py makes the real one, tests make small ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """One stored file that a builder reads. Size and CRC-32 were recorded when it was stored."""

    file_id: int
    key: str
    name: str
    size_bytes: int
    crc32: int
    made_at: datetime


class Output(Protocol):
    """The artifact on its way into object storage: written front to back, never read."""

    def write(self, chunk: bytes) -> None: ...


class Workspace(Protocol):
    """One attempt. Every method may raise Interrupted; then clean up nothing and let it pass."""

    @property
    def output(self) -> Output: ...

    def say(self, message: str) -> None:
        """Tell people what is being done now, in one short sentence."""

    def chunks(self, source: Source) -> Iterator[bytes]:
        """The source's bytes, at most CHUNK_BYTES at a time; each counts as progress.

        Raises SourceMissing if the object is gone, StorageUnavailable if it cannot be read.
        """
