"""The sizes of objects that a bundle has not recorded, from the real S3 server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from jobs import storage
from jobs.errors import BucketMissing, SourceMissing, StorageUnavailable
from jobs.storage import abortable_threads, sizes
from jobs.workspace import Source
from tests.faults.proxy import Proxy
from tests.test_unsuited_servers import use_store


def source(key: str, bucket_name: str = "") -> Source:
    return Source(key=f"catalogue/sizes/{key}", name=key, bucket=bucket_name)


def put(number: int) -> Source:
    stored = source(str(number))
    storage.bucket().objects.put(stored.key, bytes(number), content_type="text/plain")
    return stored


@pytest.fixture
def proxy(bucket: Any, settings: Any) -> Iterator[Proxy]:
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        use_store(settings, f"http://127.0.0.1:{proxy.port}")
        yield proxy


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sizes"]


def test_sizes_are_in_the_order_of_the_sources(bucket: Any) -> None:
    sources = [put(number) for number in range(100)]

    assert list(storage.object_sizes(sources)) == list(range(100))
    assert not threads()


def test_no_sources_take_no_thread_and_no_request() -> None:
    assert list(storage.object_sizes([])) == []


def test_few_requests_are_sent_at_once(proxy: Proxy) -> None:
    sources = [put(1)] * 200

    assert sum(storage.object_sizes(sources)) == 200
    assert 1 < proxy.connections <= sizes.THREADS


def test_sources_are_taken_as_they_are_needed(bucket: Any) -> None:
    taken = []

    def endless() -> Iterator[Source]:
        while True:
            taken.append(put(1))
            yield taken[-1]

    with closing(storage.object_sizes(endless())) as found:
        next(found)

    assert len(taken) == sizes.AHEAD


@pytest.mark.parametrize(
    ("other", "error"), [("", SourceMissing), ("no-such-bucket", BucketMissing)]
)
def test_a_missing_object_is_an_error_at_its_turn(
    bucket: Any, other: str, error: type[SourceMissing]
) -> None:
    found = storage.object_sizes([put(1), source("none", other), put(2)])

    assert next(found) == 1
    with pytest.raises(SourceMissing) as raised:
        next(found)
    assert type(raised.value) is error


def test_threads_end_where_the_store_is_silent(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abortable_threads, "JOIN_SECONDS", 15)
    sources = [put(1)] * (sizes.AHEAD + 8)
    found = storage.object_sizes(sources)
    next(found)
    proxy.freeze()
    began = time.monotonic()

    found.close()

    assert time.monotonic() - began < abortable_threads.JOIN_SECONDS
    assert not threads()


def test_a_store_that_is_away_is_an_error(proxy: Proxy) -> None:
    proxy.answer_errors(1, seed=1, status=503, code="ServiceUnavailable")

    with pytest.raises(StorageUnavailable):
        list(storage.object_sizes([source("any")]))
