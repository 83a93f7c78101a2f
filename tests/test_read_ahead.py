"""Sources of a bundle that are fetched while others are written, from the real S3 server."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from jobs import storage
from jobs.errors import Interrupted, SourceChanged, SourceMissing, StorageUnavailable
from jobs.storage import abortable_threads, read_ahead
from jobs.storage.read_ahead import AHEAD_BYTES, MAX_OBJECT_BYTES, THREADS, ReadAhead
from tests.faults.proxy import Proxy
from tests.live import until
from tests.test_unsuited_servers import use_store

MEBIBYTE = 1024 * 1024


def put(number: int, size: int) -> tuple[str, int]:
    key = f"catalogue/ahead/{number}"
    storage.bucket().objects.put(key, content(number, size), content_type="text/plain")
    return key, size


def content(number: int, size: int) -> bytes:
    return bytes([number % 256]) * size


@pytest.fixture
def proxy(bucket: Any, settings: Any) -> Iterator[Proxy]:
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        yield proxy


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_objects_are_read_whole_and_in_order(bucket: Any) -> None:
    sizes = [10, 0, MAX_OBJECT_BYTES, MAX_OBJECT_BYTES + 1, 3 * MEBIBYTE + 5, 1, *[70_000] * 30]
    objects = [put(number, size) for number, size in enumerate(sizes)]

    with ReadAhead(objects) as ahead:
        for number, (key, size) in enumerate(objects):
            chunks = list(ahead.read(key))
            assert b"".join(chunks) == content(number, size)
            assert all(len(chunk) <= MEBIBYTE for chunk in chunks)

    assert not readers()


def test_the_next_objects_are_fetched_in_advance(bucket: Any, settings: Any, proxy: Proxy) -> None:
    objects = [put(number, 1000) for number in range(9)]
    use_store(settings, f"http://127.0.0.1:{proxy.port}")

    with ReadAhead(objects) as ahead:
        next(iter(ahead.read(objects[0][0])))
        until(lambda: all(fetch.result._items for fetch in ahead._fetches[1:]))
        proxy.freeze()
        for number, (key, size) in list(enumerate(objects))[1:]:
            assert b"".join(ahead.read(key)) == content(number, size)


def test_one_object_takes_no_thread(bucket: Any) -> None:
    objects = [put(0, 1000)]

    with ReadAhead(objects) as ahead:
        assert b"".join(ahead.read(objects[0][0])) == content(0, 1000)
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
    objects = [put(number, 3 * MEBIBYTE) for number in range(12)]

    with ReadAhead(objects) as ahead:
        read = 0
        for number, (key, size) in enumerate(objects):
            assert b"".join(ahead.read(key)) == content(number, size)
            read += size
            time.sleep(0.1)
            assert sum(fetched) - read <= AHEAD_BYTES
    assert len(fetched) == 11


def test_a_missing_object_is_an_error_when_it_is_its_turn(bucket: Any) -> None:
    objects = [put(0, 10), put(1, 10), ("catalogue/ahead/none", 10), put(3, 10)]

    with ReadAhead(objects) as ahead:
        for number in (0, 1):
            assert b"".join(ahead.read(objects[number][0])) == content(number, 10)
        with pytest.raises(SourceMissing):
            list(ahead.read("catalogue/ahead/none"))
        assert b"".join(ahead.read(objects[3][0])) == content(3, 10)


def test_an_object_that_is_larger_than_recorded_is_not_read(bucket: Any) -> None:
    first, (key, _) = put(0, 10), put(1, 30 * MEBIBYTE)

    with ReadAhead([first, (key, 100)]) as ahead:
        list(ahead.read(first[0]))
        with pytest.raises(SourceChanged):
            list(ahead.read(key))


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
    objects = [put(number, MEBIBYTE) for number in range(10)]
    use_store(settings, f"http://127.0.0.1:{proxy.port}")

    def use() -> None:
        with ReadAhead(objects) as ahead:
            list(ahead.read(objects[0][0]))
            list(ahead.read(objects[1][0]))
            proxy.freeze()
            ahead._threads.submit(
                read_ahead._Fetch(objects[9][0], MEBIBYTE)
            )  # one that surely waits
            time.sleep(0.5)
            ended.append(time.monotonic())
            raise error

    ended: list[float] = []
    with pytest.raises(type(error)):
        use()

    assert time.monotonic() - ended[0] < abortable_threads.JOIN_SECONDS
    assert not readers()


def test_the_number_of_threads_is_limited(bucket: Any) -> None:
    objects = [put(number, 1000) for number in range(40)]

    with ReadAhead(objects) as ahead:
        for key, _ in objects:
            list(ahead.read(key))
            assert len(readers()) <= THREADS


def test_memory_is_released_on_exit(bucket: Any) -> None:
    objects = [put(number, 1000) for number in range(5)]

    with ReadAhead(objects) as ahead:
        list(ahead.read(objects[0][0]))
        list(ahead.read(objects[1][0]))

    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is read_ahead._Fetch]
