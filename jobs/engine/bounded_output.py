"""An object that a builder writes, which stops when its owner has no room for more."""

from __future__ import annotations

from collections.abc import Callable

from jobs.errors import ArchiveTooLarge
from jobs.lib.file_size import file_size_text
from jobs.storage import MAX_OBJECT_BYTES, S3Output

CHECK_EVERY_BYTES = 64 * 1024 * 1024  # so that a builder in an endless loop stores no more
MAX_PARTS = 10_000  # of an object, in S3


class BoundedOutput(S3Output):
    """An S3Output that calls `check_room` with its size now and then; that raises NoRoom."""

    def __init__(
        self,
        key: str,
        *,
        content_type: str,
        expected_bytes: int,
        check_room: Callable[[int], None],
    ) -> None:
        super().__init__(key, content_type=content_type, expected_bytes=expected_bytes)
        self.max_bytes = min(MAX_PARTS * self._part_bytes, MAX_OBJECT_BYTES)
        self._check_room = check_room
        self._check_above = CHECK_EVERY_BYTES

    def write(self, chunk: bytes) -> None:
        """Append a chunk. Raises NoRoom, ArchiveTooLarge, StorageUnavailable."""
        size_bytes = self.size_bytes + len(chunk)
        if size_bytes > self.max_bytes:
            raise ArchiveTooLarge(f"The file is larger than {file_size_text(self.max_bytes)}.")
        if size_bytes > self._check_above:
            self._check_room(size_bytes)
            self._check_above = size_bytes + CHECK_EVERY_BYTES
        super().write(chunk)
