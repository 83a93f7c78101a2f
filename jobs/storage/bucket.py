"""The bucket as this process reaches it: is it there, what is in it, read it.

`JobStorage` is django-storages' backend with our settings; saving, deleting and signing are the
library's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import storages
from django.utils.functional import cached_property
from storages.backends.s3 import S3Storage

from jobs.errors import BuildError, SourceMissing, StorageUnavailable
from jobs.storage.connections import CONNECT_SECONDS, StorageConnections
from jobs.storage.objects import GONE, ErrorResponse, Objects
from jobs.storage.signature import Bucket, Signer

SLOW_READ_SECONDS = 60


class JobStorage(S3Storage):  # type: ignore[misc] # the library has no types
    attempts, read_seconds = settings.S3_ATTEMPTS, settings.S3_READ_SECONDS
    connections = 16

    def get_default_settings(self) -> dict[str, Any]:
        return cast(dict[str, Any], super().get_default_settings()) | {
            "file_overwrite": True,
            "client_config": Config(
                signature_version="s3v4",  # with an endpoint of one's own, boto would sign v2
                s3={"addressing_style": "path"},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=self.read_seconds,
                retries={"mode": "standard", "total_max_attempts": self.attempts},
                # Newer checksum headers are not understood by every S3.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=self.connections,
            ),
        }

    @cached_property
    def connection(self) -> Any:
        # The library makes one per thread: 8 ms and megabytes for each of a web process' 64.
        # A client may be shared, and what else hangs on a connection only `save` uses.
        return super().connection

    @property
    def client(self) -> Any:
        return self.connection.meta.client

    @cached_property
    def address(self) -> Bucket:
        return Bucket(self.endpoint_url, self.bucket_name)

    @cached_property
    def signer(self) -> Signer:
        return Signer(self.access_key, self.secret_key, self.region_name, self.security_token)

    @cached_property
    def objects(self) -> Objects:
        """For what concerns one object, at a fraction of the client's cost."""
        return Objects(self.address, self.signer, self._connect, attempts=self.attempts)

    def _connect(self) -> StorageConnections:
        return StorageConnections(
            self.endpoint_url,
            read_seconds=self.read_seconds,
            most=self.connections,
            verify=self.verify,
        )


class RetryingStorage(JobStorage):
    """For what a web process receives: nobody sends a file twice for a store that was busy."""

    attempts, read_seconds = 3, 20
    connections = 64


class SlowStorage(JobStorage):
    """Return a client for requests that the store may take minutes to answer."""

    attempts, read_seconds = 4, SLOW_READ_SECONDS


_alias = ContextVar("alias", default="default")


def bucket() -> JobStorage:
    """The bucket as this process reaches it."""
    return cast(JobStorage, storages[_alias.get()])


def slow_bucket() -> JobStorage:
    """Return the bucket with long timeouts. Not for web processes."""
    return bucket() if settings.ROLE == "web" else cast(JobStorage, storages["slow"])


@contextmanager
def with_retries() -> Iterator[None]:
    """Wait for the store as long as a worker would."""
    before = _alias.set("retrying")
    try:
        yield
    finally:
        _alias.reset(before)


def make_bucket() -> None:
    if not has_bucket():
        with mapped_errors():
            bucket().client.create_bucket(Bucket=bucket().bucket_name)


def has_bucket() -> bool:
    """Raises StorageUnavailable."""
    try:
        ping()
    except SourceMissing:
        return False
    return True


def ping() -> None:
    """Raises StorageUnavailable, or SourceMissing when there is no such bucket."""
    bucket().objects.head()


def clock_offset_seconds() -> float:
    """How far the server's clock is ahead of ours, to about a second. Raises StorageUnavailable."""
    asked_at = time.time()
    try:
        told = bucket().objects.head().get("date")
    except BuildError as error:
        if not isinstance(refused := error.__cause__, ErrorResponse):
            raise
        told = refused.headers.get("date")  # a refusal tells the time, too
    if not told:
        raise StorageUnavailable("The file store does not tell the time.")
    return float(parsedate_to_datetime(told).timestamp() - (asked_at + time.time()) / 2)


def size_of(key: str) -> int:
    """Bytes of the stored object. Raises SourceMissing, StorageUnavailable."""
    return int(bucket().objects.head(key)["content-length"])


def exists(key: str, size_bytes: int) -> bool:
    """Whether the object is there, and whole. Raises StorageUnavailable."""
    try:
        return size_of(key) == size_bytes
    except SourceMissing:
        return False


def read(key: str, *, size_bytes: int | None = None) -> Iterator[bytes]:
    """The object in chunks of CHUNK_BYTES. Raises SourceMissing, StorageUnavailable, and
    SourceChanged where it changes meanwhile, or is not of `size_bytes`."""
    return bucket().objects.read(key, size_bytes=size_bytes)


def copy(key: str, to: str) -> None:
    """By the store itself. Raises SourceMissing, StorageUnavailable."""
    with mapped_errors():
        source = {"Bucket": bucket().bucket_name, "Key": key}
        bucket().client.copy(source, bucket().bucket_name, to)


@contextmanager
def mapped_errors(gone: type[BuildError] = SourceMissing) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in GONE:
            raise gone("A stored file could not be found.") from error
        raise StorageUnavailable("The file store refused a request.") from error
    except BotoCoreError as error:
        raise StorageUnavailable("The file store could not be reached.") from error
