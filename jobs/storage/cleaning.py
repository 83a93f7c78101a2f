"""Taking out of the bucket what nobody wants any longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from jobs.storage.bucket import bucket, mapped_errors


def delete_all_but(wanted: Iterable[str], *, prefix: str) -> int:
    """Delete the objects below `prefix` that nobody wants, and every open upload; how many went."""
    kept, gone, name = set(wanted), 0, bucket().bucket_name
    client = bucket().client
    with mapped_errors():
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
    with mapped_errors():
        bucket().client.delete_object(**place)
        for upload in list(open_uploads(key)):
            if upload["Key"] == key:  # and no longer one
                bucket().client.abort_multipart_upload(**place, UploadId=upload["UploadId"])


def stored_since(prefix: str, before: datetime) -> Iterator[str]:
    """Keys below `prefix` of objects, and of open uploads, that are older. Asks page by page."""
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
    pages = bucket().client.get_paginator("list_multipart_uploads")
    for page in pages.paginate(Bucket=bucket().bucket_name, Prefix=prefix):
        yield from page.get("Uploads", [])
