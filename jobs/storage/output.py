"""One object written front to back, of any size."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from jobs.errors import SourceMissing, StorageUnavailable
from jobs.storage.upload import (
    MIN_PART_BYTES,
    SMALL_PART_BYTES,
    S3Object,
    Upload,
    check_size,
    delete_object,
    part_bytes,
    put_whole,
)

PARTS_IN_FLIGHT = 2  # one is sent while the next fills: memory is (this + 1) parts


class S3Output(S3Object):
    """One object on its way into the bucket, written front to back; nobody sees it before `finish`.

    Memory is bounded by PARTS_IN_FLIGHT + 1 parts; by one, as small as may be, where many outputs
    are written at once. If the process dies, or `discard` cannot reach the server, the parts stay
    behind as an open upload for `delete_all_but`.
    """

    def __init__(
        self, key: str, *, content_type: str, expected_bytes: int, is_one_of_many: bool = False
    ) -> None:
        super().__init__(key, content_type=content_type)
        least = SMALL_PART_BYTES if is_one_of_many else MIN_PART_BYTES
        self._part_bytes = part_bytes(expected_bytes, least=least)
        self._in_flight = 0 if is_one_of_many else PARTS_IN_FLIGHT
        self._waiting: list[bytes] = []  # the next part, and its bytes so far
        self._waiting_bytes = 0
        self._parts = 0
        self._sent: list[Future[None]] = []
        self._senders = ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="part")

    @property
    def size_bytes(self) -> int:
        return self._digest.size_bytes

    def write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        while self._waiting_bytes + len(chunk) >= self._part_bytes:
            room = self._part_bytes - self._waiting_bytes
            self._waiting.append(chunk[:room])
            chunk = chunk[room:]
            self._send(self._take_waiting())
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)

    def finish(self) -> None:
        """Make the object appear, whole. Raises StorageUnavailable also if its size is wrong."""
        if self._upload:
            if self._waiting_bytes:
                self._send(self._take_waiting())
            for part in self._sent:
                part.result()
            try:
                self._upload.complete()
            except SourceMissing as error:
                raise StorageUnavailable("The file store lost an upload.") from error
        else:
            put_whole(self.key, self._take_waiting(), content_type=self._content_type)
        self._is_stored = True
        self._senders.shutdown()
        check_size(self.key, self.size_bytes)

    def discard(self) -> None:
        """Leave no object and no open upload, as far as the server can be reached."""
        self._senders.shutdown(wait=False, cancel_futures=True)
        if self._is_stored:
            delete_object(self.key)
        elif self._upload:
            self._upload.abort()

    def _take_waiting(self) -> bytes:
        part = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return part

    def _send(self, part: bytes) -> None:
        if not self._upload:
            self._upload = Upload.begin(self.key, content_type=self._content_type)
        number = self._parts = self._parts + 1
        if not self._in_flight:
            self._upload.put(number, part)
            return
        if len(self._sent) >= self._in_flight:
            self._sent[-self._in_flight].result()  # also raises what went wrong with it
        self._sent.append(self._senders.submit(self._upload.put, number, part))
