"""Presigned addresses: what a client may fetch, for a while, from the store itself."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.core.files.storage import storages

from jobs.storage.bucket import JobStorage
from jobs.storage.signature import Bucket, Signer, attachment

MAX_REUSE_SECONDS = 60
MAX_REMEMBERED = 2048  # about a kilobyte each


def presigned_url(key: str, *, name: str, content_type: str, method: str = "GET") -> str:
    """An address that gives anybody the object under `name` for DOWNLOAD_URL_SECONDS.

    Signed for the public endpoint, for one method, without asking the server. The disposition
    is ours, so that no stored file opens as a page of the bucket's host. Never store or log it.

    Given out again for up to a minute, and so valid for up to a minute longer.
    """
    public, seconds = cast(JobStorage, storages["public"]), settings.DOWNLOAD_URL_SECONDS
    reuse = max(1, min(seconds // 10, MAX_REUSE_SECONDS))
    at = int(time.time()) // reuse * reuse
    return _signed(
        public.signer, public.address, method, key, name, content_type, at, seconds + reuse
    )


@lru_cache(MAX_REMEMBERED)
def _signed(
    signer: Signer,
    bucket: Bucket,
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
        disposition=attachment(name),
        content_type=content_type,
        at=at,
        seconds=seconds,
    )
