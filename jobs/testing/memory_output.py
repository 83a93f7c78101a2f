"""The output of a builder, in memory."""

from __future__ import annotations

from collections.abc import Callable

from jobs.lib.digest import Digest

PART_BYTES = 5 * 1024 * 1024


class MemoryOutput:
    """The artifact, written sequentially."""

    def __init__(self, called: Callable[[], None]) -> None:
        self._called = called
        self._digest = Digest()
        self.content = bytearray()

    def write(self, chunk: bytes) -> None:
        self._called()
        self._digest.update(chunk)
        self.content += chunk

    @property
    def sha256(self) -> str:
        return self._digest.sha256


class MemoryParts:
    """The artifact in parts. None of them is of an earlier attempt."""

    def __init__(self, total_bytes: int) -> None:
        self.part_bytes = PART_BYTES
        self.stored: frozenset[int] = frozenset()
        self.content = bytearray(total_bytes)
        self._missing = set(range(-(-total_bytes // PART_BYTES)))
        self._digest = Digest()

    def put(self, number: int, part: bytes | bytearray) -> None:
        start = number * PART_BYTES
        if len(part) != min(PART_BYTES, len(self.content) - start):
            raise ValueError(f"Part {number} has {len(part):,} bytes.")
        self.content[start : start + len(part)] = part
        self._missing.discard(number)

    def finish(self, digest: Digest) -> None:
        if self._missing:
            raise ValueError(f"Parts were not stored: {sorted(self._missing)}.")
        self._digest = Digest()
        self._digest.update(self.content)

    @property
    def sha256(self) -> str:
        return self._digest.sha256
