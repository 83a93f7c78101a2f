"""An object of any size that is written sequentially."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from jobs.errors import SourceMissing, StorageUnavailable
from jobs.storage.multipart_upload import (
    MIN_PART_BYTES,
    SMALL_PART_BYTES,
    MultipartUpload,
    S3Object,
    multipart_part_bytes,
)
from jobs.storage.objects import check_object_size, delete_object, object_exists, put_object

PARTS_IN_FLIGHT = 2  # sent and hashed while the next one is filled: memory is one part more
MEMORY_BYTES = 256 * 1024 * 1024  # for these parts; if they are large, fewer are in flight, or none


class S3Output(S3Object):
    """An object that is written sequentially. It does not exist before `finish`.

    Memory is limited to PARTS_IN_FLIGHT + 1 parts and MEMORY_BYTES, or to one part if that is
    larger. With `is_one_of_many`, it is one part of the minimum size. If the process dies or
    `discard` fails, the parts stay in an open upload for `delete_all_objects_but`.
    """

    def __init__(
        self, key: str, *, content_type: str, expected_bytes: int, is_one_of_many: bool = False
    ) -> None:
        super().__init__(key, content_type=content_type)
        least = SMALL_PART_BYTES if is_one_of_many else MIN_PART_BYTES
        self.size_bytes = 0
        self._part_bytes = multipart_part_bytes(expected_bytes, least=least)
        most = min(PARTS_IN_FLIGHT, max(MEMORY_BYTES // self._part_bytes - 1, 0))
        self._in_flight = 0 if is_one_of_many else most
        self._buffer = _new_buffer(self._part_bytes)  # the next part; reused for later ones
        self._filled = self._hashed = 0  # bytes of the buffer
        self._parts = 0
        self._under_way: deque[tuple[mmap, list[Future[None]]]] = deque()
        self._senders = ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="part")
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="hash")

    @property
    def sha256(self) -> str:
        self._hash_all()
        return super().sha256

    @property
    def crc32(self) -> int:
        self._hash_all()
        return super().crc32

    def write(self, chunk: bytes) -> None:
        """Append a chunk. Raises StorageUnavailable, also for earlier parts."""
        self.size_bytes += len(chunk)
        rest = memoryview(chunk)
        while rest:
            piece = rest[: self._part_bytes - self._filled]
            end = self._filled + len(piece)
            self._buffer[self._filled : end] = piece
            self._filled = end
            rest = rest[len(piece) :]
            if self._filled == self._part_bytes:
                self._send()

    def finish(self) -> None:
        """Create the object. Raises StorageUnavailable, also if parts of it were lost."""
        if self._upload:
            if self._filled:
                self._send()
            for _, futures in self._under_way:
                for future in futures:
                    future.result()
            try:
                self._upload.complete()
            except SourceMissing as error:  # or it succeeded, and the response was lost
                if not object_exists(self.key, self.size_bytes):
                    raise StorageUnavailable("The file store lost an upload.") from error
        else:
            content = self._content()
            put_object(self.key, content, content_type=self._content_type, sha256=self.sha256)
        self._is_stored = True
        self._stop()
        if self._upload:
            check_object_size(self.key, self.size_bytes)

    def discard(self) -> None:
        """Delete the object or its open upload. Raises StorageUnavailable."""
        self._stop()
        if self._is_stored:
            delete_object(self.key)
        elif self._upload:
            self._upload.abort()

    def _content(self) -> memoryview:
        return memoryview(self._buffer)[: self._filled]

    def _send(self) -> None:
        if not self._upload:
            self._upload = MultipartUpload.begin(self.key, content_type=self._content_type)
        number = self._parts = self._parts + 1
        content = self._content()
        if self._in_flight:
            hashed = self._hasher.submit(self._digest.update, content[self._hashed :])
            sent = self._senders.submit(self._upload.put, number, content)
            self._under_way.append((self._buffer, [sent, hashed]))
            self._buffer = self._next_buffer()
        else:
            self._digest.update(content[self._hashed :])
            self._upload.put(number, content)
        self._filled = self._hashed = 0

    def _next_buffer(self) -> mmap:
        if len(self._under_way) <= self._in_flight:
            return _new_buffer(self._part_bytes)
        buffer, futures = self._under_way.popleft()
        for future in futures:
            future.result()  # raises its error
        return buffer

    def _hash_all(self) -> None:
        for _, (_, hashed) in self._under_way:
            hashed.result()
        with self._content() as content:
            self._digest.update(content[self._hashed :])
        self._hashed = self._filled

    def _stop(self) -> None:
        for threads in (self._senders, self._hasher):
            threads.shutdown(wait=False, cancel_futures=True)


def _new_buffer(size_bytes: int) -> mmap:
    """Return memory that goes back to the system when it is freed. Unused pages take up nothing.

    malloc would keep it in its heaps: a part for each thread that ever wrote one.
    """
    return mmap(-1, size_bytes, flags=MAP_PRIVATE | MAP_ANONYMOUS)
