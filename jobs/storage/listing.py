"""List what is in the bucket, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from jobs.errors import StorageUnavailable
from jobs.storage.bucket import bucket
from jobs.storage.read_position import bare_etag
from jobs.storage.s3_errors import OTHER_BUCKET, map_s3_errors


class StoredObject(NamedTuple):
    """An object in a bucket, as it is listed. `etag` changes with its content."""

    key: str
    size_bytes: int
    modified_at: datetime
    etag: str = ""


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


def list_object_pages(
    prefix: str, *, bucket_name: str = "", after: str = ""
) -> Iterator[list[StoredObject]]:
    """Yield the objects below `prefix` and after a key, 1,000 at once, ordered as by list_objects.

    They may be in another bucket of the same store. Raises StorageUnavailable, also if the store
    lists them in another order, BucketMissing and SourceForbidden.
    """
    name, last = bucket_name or bucket().bucket_name, after
    start = {"StartAfter": after} if after else {}
    with map_s3_errors(), _named_errors(name):
        pages = bucket().client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=name, Prefix=prefix, **start):
            found = list(map(_stored_object, page.get("Contents", [])))
            keys = [last, *(each.key for each in found)]
            if any(later <= earlier for earlier, later in pairwise(keys) if earlier):
                raise StorageUnavailable(f"The objects of {name} are not listed in order.")
            last = keys[-1]
            yield found


def _stored_object(item: dict[str, Any]) -> StoredObject:
    etag = bare_etag(item["ETag"])
    return StoredObject(item["Key"], item["Size"], item["LastModified"], etag)


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Raise what the store says about a bucket as an error that names the bucket."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if known := OTHER_BUCKET.get(code):
            raise known(f"The bucket {name} {known.problem}") from error
        raise


def list_open_uploads(prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the multipart uploads below `prefix` that are not completed."""
    with map_s3_errors():
        pages = bucket().client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=bucket().bucket_name, Prefix=prefix):
            yield from page.get("Uploads", [])
