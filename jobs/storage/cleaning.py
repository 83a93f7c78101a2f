"""Delete objects and abort multipart uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from jobs.storage.bucket import bucket, mapped_errors


def delete_all_but(keys: Iterable[str], *, prefix: str) -> int:
    """Delete all objects below `prefix` but these, and all open uploads. Return how many."""
    kept, deleted, name = set(keys), 0, bucket().bucket_name
    client = bucket().client
    with mapped_errors():
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix):
            for found in page.get("Contents", []):
                if found["Key"] not in kept:
                    client.delete_object(Bucket=name, Key=found["Key"])
                    deleted += 1
        for upload in list(open_uploads(prefix)):
            client.abort_multipart_upload(
                Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"]
            )
            deleted += 1
    return deleted


def delete(key: str) -> None:
    """Delete an object and abort the open uploads with its key. Raises StorageUnavailable."""
    target = {"Bucket": bucket().bucket_name, "Key": key}
    with mapped_errors():
        bucket().client.delete_object(**target)
        for upload in list(open_uploads(key)):
            if upload["Key"] == key:  # not a longer one
                bucket().client.abort_multipart_upload(**target, UploadId=upload["UploadId"])


def stored_before(prefix: str, before: datetime) -> Iterator[str]:
    """Yield keys below `prefix` of objects and open uploads older than `before`, page by page."""
    name = bucket().bucket_name
    with mapped_errors():
        pages = bucket().client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=name, Prefix=prefix):
            found = page.get("Contents", [])
            yield from (item["Key"] for item in found if item["LastModified"] < before)
        for upload in open_uploads(prefix):
            if upload["Initiated"] < before:
                yield upload["Key"]


def open_uploads(prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the multipart uploads below `prefix` that are not completed."""
    pages = bucket().client.get_paginator("list_multipart_uploads")
    for page in pages.paginate(Bucket=bucket().bucket_name, Prefix=prefix):
        yield from page.get("Uploads", [])
