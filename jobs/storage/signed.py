"""Presigned addresses: what a client may fetch, for a while, from the store itself."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import storages

from jobs.storage.bucket import MAX_URL_SECONDS, JobStorage


def url_seconds() -> int:
    """How long a presigned address works."""
    return int(min(settings.DOWNLOAD_URL_SECONDS, MAX_URL_SECONDS))


def presigned_url(key: str, *, name: str, content_type: str, method: str = "GET") -> str:
    """An address that gives anybody the object under `name` for `url_seconds()`.

    Signed for the public endpoint, for one method, without asking the server. The disposition
    is ours, so that no stored file opens as a page of the bucket's host. Never store or log it.
    """
    told = {
        "ResponseContentDisposition": attachment(name),
        "ResponseContentType": content_type,
    }
    public = cast(JobStorage, storages["public"])
    return str(public.url(key, parameters=told, expire=url_seconds(), http_method=method))


def attachment(name: str) -> str:
    """A Content-Disposition (RFC 6266) with the name for old and for new readers."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
