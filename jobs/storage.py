"""Object storage: the only module that speaks S3.

`JobStorage` is django-storages' backend with our settings; saving, deleting and signing are the
library's. Big objects go through `S3Output` and `read`, which never hold a whole one.
Raises BuildError's storage classes and nothing of boto's.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import storages
from django.utils.functional import cached_property
from storages.backends.s3 import S3Storage

from jobs.errors import BuildError, SourceMissing, StorageUnavailable
from jobs.workspace import CHUNK_BYTES

MIN_PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 9_000  # S3 allows 10,000; the rest is room for what a container adds to its contents
PARTS_IN_FLIGHT = 2  # one is sent while the next fills: memory is (this + 1) parts
MAX_URL_SECONDS = 600
GONE = {"NoSuchKey", "404", "NotFound"}


class JobStorage(S3Storage):  # type: ignore[misc] # the library has no types
    def get_default_settings(self) -> dict[str, Any]:
        return cast(dict[str, Any], super().get_default_settings()) | {
            "querystring_expire": MAX_URL_SECONDS,
            "file_overwrite": True,
            "client_config": Config(
                signature_version="s3v4",  # with an endpoint of one's own, boto would sign v2
                s3={"addressing_style": "path"},
                connect_timeout=3,
                read_timeout=settings.S3_READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": settings.S3_ATTEMPTS},
                # Newer checksum headers are not understood by every S3.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=16,
            ),
        }

    @cached_property
    def connection(self) -> Any:
        # The library makes one per thread: 8 ms and megabytes for each of a web process' 64.
        # A client may be shared, and what else hangs on a connection only `save` uses.
        return super().connection

    @property
    def client(self) -> Any:
        return self.connection.meta.client


def bucket() -> JobStorage:
    """The bucket as this process reaches it."""
    return cast(JobStorage, storages["default"])


def make_bucket() -> None:
    if not has_bucket():
        with _mapped_errors():
            bucket().client.create_bucket(Bucket=bucket().bucket_name)


def has_bucket() -> bool:
    """Raises StorageUnavailable."""
    try:
        ping()
    except SourceMissing:
        return False
    return True


def ping() -> None:
    """Raises StorageUnavailable, or SourceMissing when there is no such bucket."""
    with _mapped_errors():
        bucket().client.head_bucket(Bucket=bucket().bucket_name)


def clock_offset_seconds() -> float:
    """How far the server's clock is ahead of ours, to about a second. Raises StorageUnavailable."""
    client = bucket().client
    asked_at = time.time()
    with _mapped_errors():
        try:
            answer = client.head_bucket(Bucket=bucket().bucket_name)
        except ClientError as error:  # a refusal tells the time, too
            answer = error.response
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not told:
        raise StorageUnavailable("The file store does not tell the time.")
    return float(parsedate_to_datetime(told).timestamp() - (asked_at + time.time()) / 2)


def size_of(key: str) -> int:
    """Bytes of the stored object. Raises SourceMissing, StorageUnavailable."""
    with _mapped_errors():
        head = bucket().client.head_object(Bucket=bucket().bucket_name, Key=key)
        return int(head["ContentLength"])


def has(key: str, size_bytes: int) -> bool:
    """Whether the object is there, and whole. Raises StorageUnavailable."""
    try:
        return size_of(key) == size_bytes
    except SourceMissing:
        return False


def read(key: str) -> Iterator[bytes]:
    """The object in chunks of CHUNK_BYTES. Raises SourceMissing, StorageUnavailable."""
    with _mapped_errors():
        body = bucket().client.get_object(Bucket=bucket().bucket_name, Key=key)["Body"]
        try:
            yield from body.iter_chunks(CHUNK_BYTES)
        finally:
            body.close()


def url_seconds() -> int:
    """How long a presigned address works."""
    return int(min(settings.DOWNLOAD_URL_SECONDS, MAX_URL_SECONDS))


def presigned_url(key: str, *, name: str, content_type: str, method: str = "GET") -> str:
    """An address that gives anybody the object under `name` for `url_seconds()`.

    Signed for the public endpoint, for one method, without asking the server. The disposition
    is ours, so that no stored file opens as a page of the bucket's host. Never store or log it.
    """
    told = {
        "ResponseContentDisposition": attachment(name),
        "ResponseContentType": content_type,
    }
    public = cast(JobStorage, storages["public"])
    return str(public.url(key, parameters=told, expire=url_seconds(), http_method=method))


def attachment(name: str) -> str:
    """A Content-Disposition (RFC 6266) with the name for old and for new readers."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


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
        with _mapped_errors(gone=StorageUnavailable):
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
        with _mapped_errors(gone=StorageUnavailable):
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
        with _mapped_errors(gone=StorageUnavailable):
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


def delete_all_but(wanted: Iterable[str], *, prefix: str) -> int:
    """Delete the objects below `prefix` that nobody wants, and every open upload; how many went."""
    kept, gone, name = set(wanted), 0, bucket().bucket_name
    client = bucket().client
    with _mapped_errors():
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix):
            for found in page.get("Contents", []):
                if found["Key"] not in kept:
                    client.delete_object(Bucket=name, Key=found["Key"])
                    gone += 1
        for upload in list(open_uploads(prefix)):
            client.abort_multipart_upload(
                Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"]
            )
            gone += 1
    return gone


def delete(key: str) -> None:
    """The object, and the open uploads under the same key."""
    place = {"Bucket": bucket().bucket_name, "Key": key}
    with _mapped_errors():
        bucket().client.delete_object(**place)
        for upload in list(open_uploads(key)):
            if upload["Key"] == key:  # and no longer one
                bucket().client.abort_multipart_upload(**place, UploadId=upload["UploadId"])


def stored_since(prefix: str, before: datetime) -> Iterator[str]:
    """Keys below `prefix` of objects, and of open uploads, that are older. Asks page by page."""
    name = bucket().bucket_name
    with _mapped_errors():
        pages = bucket().client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=name, Prefix=prefix):
            found = page.get("Contents", [])
            yield from (item["Key"] for item in found if item["LastModified"] < before)
        for upload in open_uploads(prefix):
            if upload["Initiated"] < before:
                yield upload["Key"]


def open_uploads(prefix: str) -> Iterator[dict[str, Any]]:
    pages = bucket().client.get_paginator("list_multipart_uploads")
    for page in pages.paginate(Bucket=bucket().bucket_name, Prefix=prefix):
        yield from page.get("Uploads", [])


@contextmanager
def _mapped_errors(gone: type[BuildError] = SourceMissing) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in GONE:
            raise gone("A stored file could not be found.") from error
        raise StorageUnavailable("The file store refused a request.") from error
    except BotoCoreError as error:
        raise StorageUnavailable("The file store cannot be reached.") from error
