"""Look up the sizes of objects, a few at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing

from jobs.errors import SourceMissing
from jobs.lib.mailbox import Mailbox
from jobs.storage.abortable_threads import AbortableThreads
from jobs.storage.bucket import bucket
from jobs.storage.object_requests import ObjectRequests
from jobs.workspace import Source

THREADS = 8
AHEAD = 64  # requested, and not yet yielded
FOREVER_SECONDS = 365 * 24 * 3600.0  # requests have timeouts, and attempts are interrupted


def object_sizes(sources: Iterable[Source]) -> Generator[int]:
    """Yield the sizes of the objects in bytes, in order. Close the generator to stop requests.

    Raises StorageUnavailable, and SourceMissing when it is the turn of an object that is missing.
    """
    pending: deque[_Lookup] = deque()
    with closing(AbortableThreads(_Lookup.run, most=THREADS, name="sizes")) as threads:
        for source in sources:
            pending.append(_Lookup(bucket().objects_in(source.bucket), source.key))
            threads.submit(pending[-1])
            if len(pending) == AHEAD:
                yield pending.popleft().wait()
        while pending:
            yield pending.popleft().wait()


class _Lookup:
    def __init__(self, objects: ObjectRequests, key: str) -> None:
        self._objects, self._key = objects, key
        self._result: Mailbox[int | BaseException] = Mailbox()

    def run(self) -> None:
        try:
            self._result.put(self._size_bytes())
        except BaseException as error:  # raised by `wait`
            self._result.put(error)

    def wait(self) -> int:
        result = self._result.get(timeout_seconds=FOREVER_SECONDS)
        if isinstance(result, BaseException):
            raise result
        return result

    def _size_bytes(self) -> int:
        try:
            return int(self._objects.head(self._key)["content-length"])
        except SourceMissing:
            for _ in self._objects.read(self._key):  # raises: only this response says why
                break
            raise
