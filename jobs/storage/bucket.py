"""The bucket: connect to it, create it, check it.

`BucketStorage` is the backend of django-storages with our settings.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, cast

from botocore.config import Config
from botocore.utils import parse_timestamp
from django.conf import settings
from django.core.files.storage import storages
from django.utils.functional import cached_property
from storages.backends.s3 import S3Storage

from jobs.errors import BuildError, SourceMissing, StorageUnavailable
from jobs.storage.abortable_connections import CONNECT_SECONDS, StorageConnections
from jobs.storage.object_requests import ObjectRequests
from jobs.storage.s3_errors import ErrorResponse, map_s3_errors
from jobs.storage.signature import SignedBucket, Signer

SLOW_READ_SECONDS = 60

_making = Lock()
_sessions: dict[tuple[str | None, ...], Any] = {}  # by credentials


class BucketStorage(S3Storage):  # type: ignore[misc] # the library has no types
    """The bucket, for requests that must not take long."""

    attempts, read_seconds = settings.S3_ATTEMPTS, settings.S3_READ_SECONDS
    connections = 16

    def get_default_settings(self) -> dict[str, Any]:
        return cast(dict[str, Any], super().get_default_settings()) | {
            "file_overwrite": True,
            "client_config": Config(
                signature_version="s3v4",  # for a custom endpoint, boto's default is v2
                s3={"addressing_style": "path"},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=self.read_seconds,
                retries={"mode": "standard", "total_max_attempts": self.attempts},
                # Not every S3 server supports the newer checksum headers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=self.connections,
            ),
        }

    @property
    def connection(self) -> Any:
        # One for all threads. The library makes one each, which takes 0.1 s and 13 MB; clients are
        # thread-safe, but making one is not. Only `save` uses the rest of the connection.
        with _making:
            return self._connection

    @cached_property
    def _connection(self) -> Any:
        connection = super().connection
        if settings.TRACING:
            from jobs.storage.traced_requests import trace_client

            trace_client(connection.meta.client)
        return connection

    def _create_session(self) -> Any:
        # One for all clients: it keeps the description of S3, which takes most of the 13 MB.
        credentials = self.access_key, self.secret_key, self.security_token
        if credentials not in _sessions:
            session = _sessions[credentials] = super()._create_session()
            parsers = session._session.get_component("response_parser_factory")
            parsers.set_parser_defaults(timestamp_parser=_parse_timestamp)
        return _sessions[credentials]

    @property
    def client(self) -> Any:
        return self.connection.meta.client

    @cached_property
    def address(self) -> SignedBucket:
        return SignedBucket(self.endpoint_url, self.bucket_name)

    def address_of(self, bucket_name: str) -> SignedBucket:
        """Return a bucket of the same store; this one if the name is empty."""
        return SignedBucket(self.endpoint_url, bucket_name) if bucket_name else self.address

    @cached_property
    def signer(self) -> Signer:
        return Signer(self.access_key, self.secret_key, self.region_name, self.security_token)

    @cached_property
    def objects(self) -> ObjectRequests:
        """Requests for single objects, at a fraction of the cost of `client`."""
        requests = object_requests_class()
        return requests(self.address, self.signer, self._connect, attempts=self.attempts)

    def objects_in(self, bucket_name: str) -> ObjectRequests:
        """Return the objects of a bucket of the same store; of this one if the name is empty."""
        is_own = bucket_name in ("", self.bucket_name)
        return self.objects if is_own else self.objects.in_bucket(bucket_name)

    def _connect(self) -> StorageConnections:
        return StorageConnections(
            self.endpoint_url,
            read_seconds=self.read_seconds,
            most=self.connections,
            verify=self.verify,
        )


def _parse_timestamp(value: Any) -> datetime:
    """Parse a time as botocore does. Its own parser takes most of the time of a long list."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed: datetime = parse_timestamp(value)
        return parsed


def object_requests_class() -> type[ObjectRequests]:
    """Return the class for requests, which is another one if they are traced."""
    if not settings.TRACING:
        return ObjectRequests
    from jobs.storage.traced_requests import TracedObjectRequests

    return TracedObjectRequests


class RetryingStorage(BucketStorage):
    """The bucket with retries, for uploads: a client must not send a file again."""

    attempts, read_seconds = 3, 20
    connections = 64


class SlowStorage(BucketStorage):
    """The bucket for requests that may take the store minutes."""

    attempts, read_seconds = 4, SLOW_READ_SECONDS


_alias = ContextVar("alias", default="default")


def bucket() -> BucketStorage:
    """Return the bucket, with retries inside `with_bucket_retries`."""
    return cast(BucketStorage, storages[_alias.get()])


def own_bucket_name() -> str:
    """Return the name of the service's own bucket."""
    return str(bucket().bucket_name)


def slow_bucket() -> BucketStorage:
    """Return the bucket with long timeouts. Not for web processes."""
    return bucket() if settings.ROLE == "web" else cast(BucketStorage, storages["slow"])


@contextmanager
def with_bucket_retries() -> Iterator[None]:
    """Retry requests to the store inside this context, as uploads do."""
    before = _alias.set("retrying")
    try:
        yield
    finally:
        _alias.reset(before)


def make_bucket() -> None:
    """Create the bucket if it does not exist. Raises StorageUnavailable."""
    if not has_bucket():
        with map_s3_errors():
            bucket().client.create_bucket(Bucket=bucket().bucket_name)


def has_bucket() -> bool:
    """Return whether the bucket exists. Raises StorageUnavailable."""
    try:
        ping_bucket()
    except SourceMissing:
        return False
    return True


def ping_bucket() -> None:
    """Raises StorageUnavailable, or SourceMissing if the bucket does not exist."""
    bucket().objects.head()


def bucket_clock_offset() -> float:
    """Return how far the store's clock is ahead of ours, to about a second.

    Raises StorageUnavailable.
    """
    began_at = time.time()
    try:
        date = bucket().objects.head().get("date")
    except BuildError as error:
        if not isinstance(refused := error.__cause__, ErrorResponse):
            raise
        date = refused.headers.get("date")  # error responses have a date, too
    if not date:
        raise StorageUnavailable("The file store does not tell the time.")
    return float(parsedate_to_datetime(date).timestamp() - (began_at + time.time()) / 2)
