"""One object of known size whose parts come in any order, and survive who put them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

from jobs.errors import SourceMissing
from jobs.lib.digest import Digest
from jobs.storage.bucket import exists, read
from jobs.storage.multipart_upload import (
    SMALL_PART_BYTES,
    MultipartUpload,
    S3Object,
    check_size,
    delete_object,
    part_bytes,
    put_whole,
)

Checkpoint = dict[str, Any]


class S3Parts(S3Object):
    """Numbered from 0, all of `part_bytes` but the last; an object of one part is put in one go.

    `stored` are those that an earlier attempt put; `checkpoint` is what a later one goes on from.
    """

    def __init__(self, key: str, *, content_type: str, size_bytes: int) -> None:
        super().__init__(key, content_type=content_type)
        self.size_bytes = size_bytes
        self.part_bytes = part_bytes(size_bytes, least=SMALL_PART_BYTES)
        self.stored: frozenset[int] = frozenset()

    @classmethod
    def resumed(cls, checkpoint: Checkpoint) -> Self:
        """Raises SourceMissing where that upload is no longer open, and made no object either."""
        parts = cls(checkpoint["key"], content_type="", size_bytes=checkpoint["size_bytes"])
        parts.part_bytes = checkpoint["part_bytes"]
        parts._upload = MultipartUpload(parts.key, checkpoint["upload_id"])
        try:
            found = parts._upload.find_parts()
        except SourceMissing:
            if not exists(parts.key, parts.size_bytes):
                raise
            parts._is_stored = True
            found = {n + 1: parts.size_of(n) for n in range(parts._count)}
        parts.stored = frozenset(n - 1 for n, size in found.items() if size == parts.size_of(n - 1))
        return parts

    def begin(self) -> Checkpoint:
        """Nothing, and empty, for an object of one part."""
        if self.size_bytes <= self.part_bytes:
            return {}
        self._upload = MultipartUpload.begin(self.key, content_type=self._content_type)
        return {
            "key": self.key,
            "upload_id": self._upload.id,
            "part_bytes": self.part_bytes,
            "size_bytes": self.size_bytes,
        }

    @property
    def first_gap(self) -> tuple[int, int]:
        """Where the first byte is that is not stored, and where the next one is that is.

        Where all are, the last one stands for the gap.
        """
        count = self._count
        missing = [n for n in range(count) if n not in self.stored]
        if not missing:
            return self.size_bytes - 1, self.size_bytes
        first = missing[0]
        end = next(n for n in range(first + 1, count + 1) if n in self.stored or n == count)
        return first * self.part_bytes, min(end * self.part_bytes, self.size_bytes)

    @property
    def _count(self) -> int:
        return -(-self.size_bytes // self.part_bytes)

    def size_of(self, number: int) -> int:
        return min(self.part_bytes, self.size_bytes - number * self.part_bytes)

    def put(self, number: int, part: bytes | bytearray) -> None:
        """From any thread."""
        if self._upload:
            self._upload.put(number + 1, part)
        else:
            put_whole(self.key, part, content_type=self._content_type)

    def finish(self, digest: Digest) -> None:
        """Make the object appear, all parts being put. It is read back where the digest is not of
        all of it. Raises StorageUnavailable also if its size is wrong."""
        if self._upload and not self._is_stored:
            with suppress(SourceMissing):  # done before, the answer was lost: the size tells
                self._upload.complete()
        self._is_stored = True
        check_size(self.key, self.size_bytes)
        if digest.size_bytes < self.size_bytes:
            digest = Digest()
            for chunk in read(self.key):
                digest.update(chunk)
        self._digest = digest

    def discard(self) -> None:
        """Leave no object and no open upload, as far as the server can be reached."""
        if self._upload and not self._is_stored:
            self._upload.abort()
        else:
            delete_object(self.key)
