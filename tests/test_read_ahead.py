"""Sources of a bundle are fetched in advance, from the real S3 server."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from jobs import storage
from jobs.errors import Interrupted, SourceChanged, SourceMissing, StorageUnavailable
from jobs.storage import abortable_threads, read_ahead
from jobs.storage.read_ahead import AHEAD_BYTES, MAX_OBJECT_BYTES, THREADS, ReadAhead
from jobs.workspace import Source
from tests.faults.proxy import Proxy
from tests.live import until
from tests.test_unsuited_servers import use_store

MEBIBYTE = 1024 * 1024


def put(number: int, size: int) -> Source:
    key = f"catalogue/ahead/{number}"
    storage.bucket().objects.put(key, content(number, size), content_type="text/plain")
    return Source(key=key, name=str(number), size_bytes=size)


def content(number: int, size: int | None) -> bytes:
    return bytes([number % 256]) * (size or 0)


@pytest.fixture
def proxy(bucket: Any, settings: Any) -> Iterator[Proxy]:
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        yield proxy


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_objects_are_read_whole_and_in_order(bucket: Any) -> None:
    sizes = [10, 0, MAX_OBJECT_BYTES, MAX_OBJECT_BYTES + 1, 3 * MEBIBYTE + 5, 1, *[70_000] * 30]
    sources = [put(number, size) for number, size in enumerate(sizes)]

    with ReadAhead(sources) as ahead:
        for number, source in enumerate(sources):
            chunks = list(ahead.read(source))
            assert b"".join(chunks) == content(number, source.size_bytes)
            assert all(len(chunk) <= MEBIBYTE for chunk in chunks)

    assert not readers()


def test_the_next_objects_are_fetched_in_advance(bucket: Any, settings: Any, proxy: Proxy) -> None:
    sources = [put(number, 1000) for number in range(9)]
    use_store(settings, f"http://127.0.0.1:{proxy.port}")

    with ReadAhead(sources) as ahead:
        next(iter(ahead.read(sources[0])))
        until(lambda: all(fetch.result._items for fetch in ahead._fetches[1:]))
        proxy.freeze()
        for number, source in list(enumerate(sources))[1:]:
            assert b"".join(ahead.read(source)) == content(number, source.size_bytes)


def test_an_object_of_unknown_size_is_read_at_its_turn(bucket: Any) -> None:
    sources = [put(0, 10), replace(put(1, 2 * MEBIBYTE), size_bytes=None), put(2, 10)]

    with ReadAhead(sources) as ahead:
        read = [b"".join(ahead.read(source)) for source in sources]

    assert read == [content(0, 10), content(1, 2 * MEBIBYTE), content(2, 10)]


def test_one_object_uses_no_thread(bucket: Any) -> None:
    sources = [put(0, 1000)]

    with ReadAhead(sources) as ahead:
        assert b"".join(ahead.read(sources[0])) == content(0, 1000)
        assert not readers()


def test_memory_is_bounded_however_slow_the_writing_is(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[int] = []
    whole = ReadAhead._fetched

    def counted(self: ReadAhead, fetch: Any) -> list[bytes]:
        fetched.append(fetch.size_bytes)
        return whole(self, fetch)

    monkeypatch.setattr(ReadAhead, "_fetched", counted)
    sources = [put(number, 3 * MEBIBYTE) for number in range(12)]

    with ReadAhead(sources) as ahead:
        read = 0
        for number, source in enumerate(sources):
            assert b"".join(ahead.read(source)) == content(number, source.size_bytes)
            read += source.size_bytes or 0
            time.sleep(0.1)
            assert sum(fetched) - read <= AHEAD_BYTES
    assert len(fetched) == 11


def test_a_missing_object_is_an_error_when_it_is_its_turn(bucket: Any) -> None:
    missing = Source(key="catalogue/ahead/none", name="none", size_bytes=10)
    sources = [put(0, 10), put(1, 10), missing, put(3, 10)]

    with ReadAhead(sources) as ahead:
        for number in (0, 1):
            assert b"".join(ahead.read(sources[number])) == content(number, 10)
        with pytest.raises(SourceMissing):
            list(ahead.read(missing))
        assert b"".join(ahead.read(sources[3])) == content(3, 10)


def test_an_object_that_is_larger_than_recorded_is_not_read(bucket: Any) -> None:
    first, larger = put(0, 10), replace(put(1, 30 * MEBIBYTE), size_bytes=100)

    with ReadAhead([first, larger]) as ahead:
        list(ahead.read(first))
        with pytest.raises(SourceChanged):
            list(ahead.read(larger))


@pytest.mark.parametrize("error", [Interrupted(timed_out=False), StorageUnavailable("away")])
def test_threads_end_on_exit(
    bucket: Any,
    settings: Any,
    proxy: Proxy,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the store is silent, and each would wait for it for a long time."""
    monkeypatch.setattr(abortable_threads, "JOIN_SECONDS", 15)
    sources = [put(number, MEBIBYTE) for number in range(10)]
    use_store(settings, f"http://127.0.0.1:{proxy.port}")

    def use() -> None:
        with ReadAhead(sources) as ahead:
            list(ahead.read(sources[0]))
            list(ahead.read(sources[1]))
            proxy.freeze()
            ahead._threads.submit(read_ahead._Fetch(sources[9]))  # one that surely waits
            time.sleep(0.5)
            ended.append(time.monotonic())
            raise error

    ended: list[float] = []
    with pytest.raises(type(error)):
        use()

    assert time.monotonic() - ended[0] < abortable_threads.JOIN_SECONDS
    assert not readers()


def test_the_number_of_threads_is_limited(bucket: Any) -> None:
    sources = [put(number, 1000) for number in range(40)]

    with ReadAhead(sources) as ahead:
        for source in sources:
            list(ahead.read(source))
            assert len(readers()) <= THREADS


def test_memory_is_released_on_exit(bucket: Any) -> None:
    sources = [put(number, 1000) for number in range(5)]

    with ReadAhead(sources) as ahead:
        list(ahead.read(sources[0]))
        list(ahead.read(sources[1]))

    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is read_ahead._Fetch]
