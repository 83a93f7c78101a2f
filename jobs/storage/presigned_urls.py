"""Presigned URLs, by which clients download from the store."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.core.files.storage import storages

from jobs.storage.bucket import BucketStorage
from jobs.storage.signature import SignedBucket, Signer, attachment_header

MAX_REUSE_SECONDS = 60
MAX_REMEMBERED = 2048  # about a kilobyte each


def presigned_url(
    key: str, *, name: str, content_type: str, method: str = "GET", bucket_name: str = ""
) -> str:
    """Return a URL by which anybody can download the object for DOWNLOAD_URL_SECONDS.

    It is for the public endpoint and one method, and always downloads: a stored file must not open
    as a page of the bucket's host. Never store or log it. The same URL is returned for up to a
    minute, and is valid for up to a minute longer. The object may be in another bucket of the same
    store.
    """
    public, seconds = cast(BucketStorage, storages["public"]), settings.DOWNLOAD_URL_SECONDS
    reuse = max(1, min(seconds // 10, MAX_REUSE_SECONDS))
    at = int(time.time()) // reuse * reuse
    address = public.address_of(bucket_name)
    return _signed(public.signer, address, method, key, name, content_type, at, seconds + reuse)


@lru_cache(MAX_REMEMBERED)
def _signed(
    signer: Signer,
    bucket: SignedBucket,
    method: str,
    key: str,
    name: str,
    content_type: str,
    at: int,
    seconds: int,
) -> str:
    return signer.presigned_url(
        method,
        bucket,
        key,
        disposition=attachment_header(name),
        content_type=content_type,
        at=at,
        seconds=seconds,
    )
