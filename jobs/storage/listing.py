"""List what is in the bucket, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from jobs.errors import StorageUnavailable
from jobs.storage.bucket import bucket
from jobs.storage.s3_errors import map_s3_errors


class StoredObject(NamedTuple):
    """An object in the bucket, as it is listed."""

    key: str
    size_bytes: int
    modified_at: datetime


def list_objects(prefix: str) -> Iterator[StoredObject]:
    """Yield the objects below `prefix`, in the order of the code points of their keys.

    Raises StorageUnavailable, also if the store lists them in another order.
    """
    last = ""
    with map_s3_errors():
        pages = bucket().client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket().bucket_name, Prefix=prefix):
            for item in page.get("Contents", []):
                if item["Key"] < last:
                    raise StorageUnavailable(f"{item['Key']!r} is listed after {last!r}.")
                last = item["Key"]
                yield StoredObject(last, item["Size"], item["LastModified"])


def list_open_uploads(prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the multipart uploads below `prefix` that are not completed."""
    with map_s3_errors():
        pages = bucket().client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=bucket().bucket_name, Prefix=prefix):
            yield from page.get("Uploads", [])
