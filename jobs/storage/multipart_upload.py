"""S3's multipart upload, and the base of objects that are stored by it or by one PUT."""

from __future__ import annotations

from typing import Any, Self

from jobs.errors import BuildError, SourceMissing, StorageUnavailable
from jobs.lib.digest import Digest
from jobs.storage.bucket import bucket, slow_bucket
from jobs.storage.objects import check_object_size, object_exists
from jobs.storage.request_body import Body
from jobs.storage.s3_errors import map_s3_errors

MIN_PART_BYTES = 8 * 1024 * 1024
SMALL_PART_BYTES = 5 * 1024 * 1024  # the minimum of S3; for many uploads at once
MAX_OBJECT_BYTES = 5 * 2**40  # the maximum of S3
MAX_PARTS = 9_000  # S3 allows 10,000; the rest is for what an archive adds to its files


def multipart_part_bytes(size_bytes: int, *, least: int = MIN_PART_BYTES) -> int:
    """Return the part size for an object of about this size."""
    return max(least, -(-size_bytes // MAX_PARTS))


class MultipartUpload:
    """An open multipart upload. Thread-safe.

    If the process dies, the parts stay, to be resumed or deleted by `delete_all_objects_but`.
    """

    def __init__(self, key: str, upload_id: str) -> None:
        self.id, self._key = upload_id, key
        self._target: dict[str, Any] = {"Bucket": bucket().bucket_name, "Key": key}
        self._target["UploadId"] = upload_id
        self._etags: dict[int, str] = {}

    @classmethod
    def begin(cls, key: str, *, content_type: str) -> Self:
        """Create the upload. Raises StorageUnavailable."""
        with map_s3_errors(gone=StorageUnavailable):
            answer = bucket().client.create_multipart_upload(
                Bucket=bucket().bucket_name, Key=key, ContentType=content_type
            )
        return cls(key, answer["UploadId"])

    def find_parts(self) -> dict[int, int]:
        """Return the sizes of the stored parts, by their numbers, from 1.

        Raises SourceMissing if the upload is no longer open.
        """
        sizes: dict[int, int] = {}
        with map_s3_errors():
            pages = bucket().client.get_paginator("list_parts")
            for page in pages.paginate(**self._target):
                for part in page.get("Parts", []):
                    sizes[part["PartNumber"]] = part["Size"]
                    self._etags[part["PartNumber"]] = part["ETag"]
        return sizes

    def put(
        self,
        number: int,
        part: Body,
        *,
        gone: type[BuildError] = StorageUnavailable,
    ) -> None:
        """Store a part. Numbers begin at 1; storing one again replaces it.

        Raises `gone` if the upload is no longer open.
        """
        self._etags[number] = bucket().objects.put_part(self._key, self.id, number, part, gone=gone)

    def complete(self) -> None:
        """Create the object from the parts. Raises SourceMissing if the upload is not open."""
        parts = [{"PartNumber": n, "ETag": etag} for n, etag in sorted(self._etags.items())]
        with map_s3_errors():
            slow_bucket().client.complete_multipart_upload(
                **self._target, MultipartUpload={"Parts": parts}
            )

    def abort(self) -> None:
        """Delete the parts."""
        with map_s3_errors():
            bucket().client.abort_multipart_upload(**self._target)


class S3Object:
    """An object that is being stored. It does not exist before it is finished."""

    def __init__(self, key: str, *, content_type: str) -> None:
        self.key = key
        self._content_type = content_type
        self._digest = Digest()
        self._upload: MultipartUpload | None = None
        self._is_stored = False

    @property
    def is_in_parts(self) -> bool:
        """Whether it is stored by a multipart upload."""
        return self._upload is not None

    @property
    def sha256(self) -> str:
        return self._digest.sha256

    @property
    def crc32(self) -> int:
        return self._digest.crc32


def complete_multipart_upload(key: str, upload_id: str, *, size_bytes: int) -> None:
    """Complete an upload. Idempotent: an object of the right size counts as completed.

    Raises StorageUnavailable, and SourceMissing if there is neither upload nor object.
    """
    upload = MultipartUpload(key, upload_id)
    try:
        upload.find_parts()
        upload.complete()
    except SourceMissing:
        if not object_exists(key, size_bytes):
            raise
    check_object_size(key, size_bytes)
