"""Fetch objects in advance, a few at once."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Self

from jobs.lib.mailbox import Mailbox
from jobs.storage.abortable_threads import AbortableThreads
from jobs.storage.bucket import bucket
from jobs.workspace import Source

THREADS = 4
AHEAD_BYTES = 16 * 1024 * 1024  # in memory
# Larger objects are streamed at their turn: a connection that idles until then would be closed.
MAX_OBJECT_BYTES = 4 * 1024 * 1024
FOREVER_SECONDS = 365 * 24 * 3600.0  # requests have timeouts, and attempts are interrupted


class ReadAhead:
    """Context manager that fetches the objects of sources, in the order of `read` calls.

    Use it in one thread. That thread takes no lock, so a signal handler may raise anywhere. On
    exit, requests are aborted and memory is released.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._fetches = list(map(_Fetch, sources))
        self._next = self._begun = 0  # the next one to read, and the next one to fetch
        self._ahead_bytes = 0
        self._bucket = bucket()
        self._threads = AbortableThreads(self._fetch, most=THREADS, name="ahead")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._threads.close()
        self._fetches.clear()

    def read(self, source: Source) -> Iterator[bytes]:
        """Yield the next object in chunks of CHUNK_BYTES.

        Raises SourceMissing, StorageUnavailable, and SourceChanged if it has another size. It may
        be truncated if it is larger.
        """
        fetch, self._next = self._fetches[self._next], self._next + 1
        if fetch.source is not source:
            raise ValueError("not the next object")
        self._begin_more()
        if not fetch.is_ahead:
            yield from self._read(source)
            return
        chunks = fetch.wait()
        while chunks:
            yield chunks.pop(0)
        self._ahead_bytes -= fetch.size_bytes

    def _begin_more(self) -> None:
        """Start to fetch what fits into memory, but not the object that is read now."""
        self._begun = max(self._begun, self._next)
        while self._begun < len(self._fetches):
            fetch = self._fetches[self._begun]
            if fetch.size_bytes <= MAX_OBJECT_BYTES:
                if self._ahead_bytes + fetch.size_bytes > AHEAD_BYTES:
                    break
                self._begin(fetch)
            self._begun += 1

    def _begin(self, fetch: _Fetch) -> None:
        fetch.is_ahead = True
        self._ahead_bytes += fetch.size_bytes
        self._threads.submit(fetch)

    def _fetch(self, fetch: _Fetch) -> None:
        try:
            fetch.result.put(self._fetched(fetch))
        except BaseException as error:  # raised by `wait`
            fetch.result.put(error)

    def _read(self, source: Source) -> Generator[bytes]:
        objects = self._bucket.objects_in(source.bucket)
        return objects.read(source.key, size_bytes=source.size_bytes)

    def _fetched(self, fetch: _Fetch) -> list[bytes]:
        chunks, left = [], fetch.size_bytes
        with closing(self._read(fetch.source)) as reading:
            for chunk in reading:
                chunks.append(chunk)
                left -= len(chunk)
                if left < 0:  # larger than recorded: limit the memory
                    break
        return chunks


class _Fetch:
    def __init__(self, source: Source) -> None:
        self.source = source
        unknown = MAX_OBJECT_BYTES + 1  # so it is streamed
        self.size_bytes = unknown if source.size_bytes is None else source.size_bytes
        self.is_ahead = False
        self.result: Mailbox[list[bytes] | BaseException] = Mailbox()

    def wait(self) -> list[bytes]:
        result = self.result.get(timeout_seconds=FOREVER_SECONDS)
        if isinstance(result, BaseException):
            raise result
        return result
