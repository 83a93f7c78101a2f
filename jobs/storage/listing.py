"""List what is in the bucket, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from jobs.storage.bucket import bucket
from jobs.storage.s3_errors import map_s3_errors


def list_stored_before(prefix: str, before: datetime) -> Iterator[str]:
    """Yield keys below `prefix` of objects and open uploads older than `before`, page by page."""
    name = bucket().bucket_name
    with map_s3_errors():
        pages = bucket().client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=name, Prefix=prefix):
            found = page.get("Contents", [])
            yield from (item["Key"] for item in found if item["LastModified"] < before)
        for upload in list_open_uploads(prefix):
            if upload["Initiated"] < before:
                yield upload["Key"]


def list_open_uploads(prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the multipart uploads below `prefix` that are not completed."""
    pages = bucket().client.get_paginator("list_multipart_uploads")
    for page in pages.paginate(Bucket=bucket().bucket_name, Prefix=prefix):
        yield from page.get("Uploads", [])
