"""Delete objects and abort multipart uploads."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.storage.bucket import bucket
from jobs.storage.listing import list_open_uploads
from jobs.storage.s3_errors import map_s3_errors


def delete_all_objects_but(keys: Iterable[str], *, prefix: str) -> int:
    """Delete all objects below `prefix` but these, and all open uploads. Return how many."""
    kept, deleted, name = set(keys), 0, bucket().bucket_name
    client = bucket().client
    with map_s3_errors():
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix):
            for found in page.get("Contents", []):
                if found["Key"] not in kept:
                    client.delete_object(Bucket=name, Key=found["Key"])
                    deleted += 1
        for upload in list(list_open_uploads(prefix)):
            client.abort_multipart_upload(
                Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"]
            )
            deleted += 1
    return deleted


def delete_object_and_uploads(key: str) -> None:
    """Delete an object and abort the open uploads with its key. Raises StorageUnavailable."""
    target = {"Bucket": bucket().bucket_name, "Key": key}
    with map_s3_errors():
        bucket().client.delete_object(**target)
        for upload in list(list_open_uploads(key)):
            if upload["Key"] == key:  # not a longer one
                bucket().client.abort_multipart_upload(**target, UploadId=upload["UploadId"])
