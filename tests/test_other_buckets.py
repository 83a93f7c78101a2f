"""Objects in other buckets of the same store, on the real S3 server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from jobs import storage
from jobs.errors import BucketMissing, SourceForbidden, SourceMissing, StorageUnavailable
from tests.faults.proxy import Proxy
from tests.test_unsuited_servers import use_store

DENY_READING = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}


@pytest.fixture
def invoices(bucket: Any) -> Iterator[str]:
    """Create another bucket with one object."""
    bucket.client.create_bucket(Bucket="invoices")
    bucket.client.put_object(Bucket="invoices", Key="2026/1.pdf", Body=b"one")
    yield "invoices"
    bucket.client.delete_object(Bucket="invoices", Key="2026/1.pdf")
    bucket.client.delete_bucket(Bucket="invoices")


def read(key: str, bucket_name: str) -> bytes:
    return b"".join(storage.read_object(key, bucket_name=bucket_name))


def test_an_object_in_another_bucket_is_read(invoices: str) -> None:
    assert read("2026/1.pdf", invoices) == b"one"
    assert storage.bucket().objects_in(invoices).head("2026/1.pdf")["content-length"] == "3"


def test_the_bucket_of_the_service_can_be_named_too(bucket: Any) -> None:
    assert bucket.objects_in("") is bucket.objects_in(bucket.bucket_name) is bucket.objects


def test_buckets_share_the_connections(invoices: str, settings: Any) -> None:
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        use_store(settings, f"http://127.0.0.1:{proxy.port}")
        storage.bucket().objects.head()

        for _ in range(3):
            read("2026/1.pdf", invoices)

        assert proxy.connections == 1


def test_an_object_that_another_bucket_lacks_is_missing(invoices: str) -> None:
    with pytest.raises(SourceMissing) as raised:
        read("2026/none.pdf", invoices)

    assert str(raised.value) == "A stored file could not be found."


def test_a_bucket_that_does_not_exist_is_said_so(bucket: Any) -> None:
    with pytest.raises(BucketMissing, match="its bucket does not exist"):
        read("2026/1.pdf", "no-such-bucket")


def test_a_bucket_that_may_not_be_read_is_said_so(bucket: Any, invoices: str) -> None:
    resource = {"Resource": f"arn:aws:s3:::{invoices}/*"}
    policy = {"Version": "2012-10-17", "Statement": [DENY_READING | resource]}
    bucket.client.put_bucket_policy(Bucket=invoices, Policy=json.dumps(policy))

    with pytest.raises(SourceForbidden, match="the file store denies access"):
        read("2026/1.pdf", invoices)


@pytest.mark.parametrize(
    ("status", "code"), [(404, "NoSuchBucket"), (403, "AccessDenied"), (403, "InvalidAccessKeyId")]
)
def test_a_refusal_of_the_own_bucket_is_retried_later(
    bucket: Any, settings: Any, status: int, code: str
) -> None:
    """Somebody mends the bucket of the service, and then its jobs go on."""
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        use_store(settings, f"http://127.0.0.1:{proxy.port}")
        proxy.answer_errors(1, seed=1, status=status, code=code)

        with pytest.raises(StorageUnavailable):
            read("2026/1.pdf", "")


def test_a_wrong_key_is_retried_later_in_any_bucket(bucket: Any, settings: Any) -> None:
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        use_store(settings, f"http://127.0.0.1:{proxy.port}")
        proxy.answer_errors(1, seed=1, status=403, code="InvalidAccessKeyId")

        with pytest.raises(StorageUnavailable):
            read("2026/1.pdf", "invoices")
