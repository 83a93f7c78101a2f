"""An object of known size whose parts are stored in any order, and can be resumed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

from jobs.errors import SourceMissing
from jobs.lib.digest import Digest
from jobs.storage.multipart_upload import (
    SMALL_PART_BYTES,
    MultipartUpload,
    S3Object,
    multipart_part_bytes,
)
from jobs.storage.objects import (
    check_object_size,
    delete_object,
    object_exists,
    put_object,
    read_object,
)

Checkpoint = dict[str, Any]


class S3Parts(S3Object):
    """An object in parts, numbered from 0. All but the last have `part_bytes`.

    An object of one part is stored by one PUT. `stored` are the parts of an earlier attempt.
    """

    def __init__(self, key: str, *, content_type: str, size_bytes: int) -> None:
        super().__init__(key, content_type=content_type)
        self.size_bytes = size_bytes
        self.part_bytes = multipart_part_bytes(size_bytes, least=SMALL_PART_BYTES)
        self.stored: frozenset[int] = frozenset()

    @classmethod
    def resumed(cls, checkpoint: Checkpoint) -> Self:
        """Return the object of an earlier attempt.

        Raises SourceMissing if its upload is no longer open and it was not completed.
        """
        parts = cls(checkpoint["key"], content_type="", size_bytes=checkpoint["size_bytes"])
        parts.part_bytes = checkpoint["part_bytes"]
        parts._upload = MultipartUpload(parts.key, checkpoint["upload_id"])
        try:
            found = parts._upload.find_parts()
        except SourceMissing:
            if not object_exists(parts.key, parts.size_bytes):
                raise
            parts._is_stored = True
            found = {n + 1: parts.size_of(n) for n in range(parts._count)}
        parts.stored = frozenset(n - 1 for n, size in found.items() if size == parts.size_of(n - 1))
        return parts

    def begin(self) -> Checkpoint:
        """Create the upload. Return its checkpoint, which is empty for an object of one part."""
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
        """The first byte that is not stored, and the next one that is stored.

        If all are stored, it is the last byte.
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
        """Return the size of a part."""
        return min(self.part_bytes, self.size_bytes - number * self.part_bytes)

    def put(self, number: int, part: bytes | bytearray) -> None:
        """Store a part. Any thread may call it."""
        if self._upload:
            self._upload.put(number + 1, part)
        else:
            put_object(self.key, part, content_type=self._content_type)

    def finish(self, digest: Digest) -> None:
        """Create the object, after all parts are stored.

        If `digest` is incomplete, the object is read back. Raises StorageUnavailable, also if its
        size is wrong.
        """
        if self._upload and not self._is_stored:
            with suppress(SourceMissing):  # completed before: its size is checked below
                self._upload.complete()
        self._is_stored = True
        check_object_size(self.key, self.size_bytes)
        if digest.size_bytes < self.size_bytes:
            digest = Digest()
            for chunk in read_object(self.key):
                digest.update(chunk)
        self._digest = digest

    def discard(self) -> None:
        """Delete the object or its open upload. Raises StorageUnavailable."""
        if self._upload and not self._is_stored:
            self._upload.abort()
        else:
            delete_object(self.key)
