"""Whole objects in the bucket: check, read, store, copy and delete them."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import SourceMissing, StorageUnavailable
from jobs.storage.bucket import bucket
from jobs.storage.read_position import bare_etag
from jobs.storage.request_body import Body
from jobs.storage.s3_errors import map_s3_errors


def object_size(key: str) -> int:
    """Return the size of an object. Raises SourceMissing, StorageUnavailable."""
    return int(bucket().objects.head(key)["content-length"])


def object_exists(key: str, size_bytes: int, *, bucket_name: str = "", etag: str = "") -> bool:
    """Return whether the object exists and has this size, and this ETag unless it is empty.

    Raises StorageUnavailable.
    """
    try:
        headers = bucket().objects_in(bucket_name).head(key)
    except SourceMissing:
        return False
    is_same = not etag or bare_etag(headers.get("etag", "")) == etag
    return int(headers["content-length"]) == size_bytes and is_same


def read_object(
    key: str, *, bucket_name: str = "", size_bytes: int | None = None
) -> Iterator[bytes]:
    """Yield the object in chunks of CHUNK_BYTES. It may be in another bucket of the same store.

    Raises SourceMissing, StorageUnavailable, and SourceChanged if it changes meanwhile or does not
    have `size_bytes`.
    """
    return bucket().objects_in(bucket_name).read(key, size_bytes=size_bytes)


def copy_object(key: str, to: str) -> None:
    """Copy an object inside the bucket. Raises SourceMissing, StorageUnavailable."""
    with map_s3_errors():
        source = {"Bucket": bucket().bucket_name, "Key": key}
        bucket().client.copy(source, bucket().bucket_name, to)


def put_object(key: str, body: Body, *, content_type: str, sha256: str = "") -> None:
    """Store an object in one request. `sha256` saves hashing it again."""
    bucket().objects.put(key, body, content_type=content_type, sha256=sha256)


def check_object_size(key: str, size_bytes: int) -> None:
    """Raises StorageUnavailable if the object does not exist or has another size."""
    if not object_exists(key, size_bytes):
        raise StorageUnavailable("The file was stored incompletely.")


def delete_object(key: str) -> None:
    """Delete an object. Raises StorageUnavailable."""
    with map_s3_errors(gone=StorageUnavailable):
        bucket().client.delete_object(Bucket=bucket().bucket_name, Key=key)
