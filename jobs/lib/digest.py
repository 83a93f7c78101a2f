"""Size, SHA-256 and CRC-32 of a stream."""

from __future__ import annotations

import hashlib
import zlib


class Digest:
    """Size and hashes of what was passed to `update` so far."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.crc32 = 0
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        self._sha256.update(chunk)
        self.crc32 = zlib.crc32(chunk, self.crc32)
        self.size_bytes += len(chunk)
