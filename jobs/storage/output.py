"""One object written front to back, of any size."""

from __future__ import annotations

import hashlib
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from jobs.errors import StorageUnavailable
from jobs.storage.bucket import bucket, mapped_errors

MIN_PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 9_000  # S3 allows 10,000; the rest is room for what a container adds to its contents
PARTS_IN_FLIGHT = 2  # one is sent while the next fills: memory is (this + 1) parts


class S3Output:
    """One object on its way into the bucket, written front to back; nobody sees it before `finish`.

    Memory is bounded by PARTS_IN_FLIGHT + 1 parts. If the process dies, or `discard` cannot reach
    the server, the parts stay behind as an open upload for `delete_all_but`.
    """

    def __init__(self, key: str, *, content_type: str, expected_bytes: int) -> None:
        self.key = key
        self.size_bytes = 0
        self.crc32 = 0
        self._sha256 = hashlib.sha256()
        self._part_bytes = max(MIN_PART_BYTES, -(-expected_bytes // MAX_PARTS))
        self._target = {"Bucket": bucket().bucket_name, "Key": key}
        self._content_type = content_type
        self._waiting: list[bytes] = []  # the next part, and its bytes so far
        self._waiting_bytes = 0
        self._upload_id = ""
        self._is_stored = False
        self._parts: list[Future[dict[str, Any]]] = []
        self._senders = ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="part")

    @property
    def is_in_parts(self) -> bool:
        return bool(self._upload_id)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def write(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self.crc32 = zlib.crc32(chunk, self.crc32)
        self.size_bytes += len(chunk)
        while self._waiting_bytes + len(chunk) >= self._part_bytes:
            room = self._part_bytes - self._waiting_bytes
            self._waiting.append(chunk[:room])
            chunk = chunk[room:]
            self._send(self._take_waiting())
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)

    def finish(self) -> None:
        """Make the object appear, whole. Raises StorageUnavailable also if its size is wrong."""
        with mapped_errors(gone=StorageUnavailable):
            if self._upload_id:
                if self._waiting_bytes:
                    self._send(self._take_waiting())
                parts = [part.result() for part in self._parts]
                bucket().client.complete_multipart_upload(
                    **self._target, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
                )
            else:
                body = self._take_waiting()
                bucket().client.put_object(
                    **self._target, Body=body, ContentType=self._content_type
                )
            self._is_stored = True
            stored = bucket().client.head_object(**self._target)["ContentLength"]
        self._senders.shutdown()
        if stored != self.size_bytes:
            raise StorageUnavailable("The file was not stored whole.")

    def discard(self) -> None:
        """Leave no object and no open upload, as far as the server can be reached."""
        self._senders.shutdown(wait=False, cancel_futures=True)
        with mapped_errors(gone=StorageUnavailable):
            if self._is_stored:
                bucket().client.delete_object(**self._target)
            elif self._upload_id:
                bucket().client.abort_multipart_upload(**self._target, UploadId=self._upload_id)

    def _take_waiting(self) -> bytes:
        part = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return part

    def _send(self, part: bytes) -> None:
        with mapped_errors(gone=StorageUnavailable):
            if not self._upload_id:
                answer = bucket().client.create_multipart_upload(
                    **self._target, ContentType=self._content_type
                )
                self._upload_id = answer["UploadId"]
            if len(self._parts) >= PARTS_IN_FLIGHT:
                self._parts[-PARTS_IN_FLIGHT].result()  # also raises what went wrong with it
            self._parts.append(self._senders.submit(self._upload, len(self._parts) + 1, part))

    def _upload(self, number: int, part: bytes) -> dict[str, Any]:
        answer = bucket().client.upload_part(
            **self._target, UploadId=self._upload_id, PartNumber=number, Body=part
        )
        return {"PartNumber": number, "ETag": answer["ETag"]}
