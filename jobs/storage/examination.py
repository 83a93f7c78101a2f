"""Read objects to find out their digests and types, a few at once."""

from __future__ import annotations

from typing import NamedTuple, Self

from jobs.errors import SourceChanged, SourceMissing
from jobs.lib.digest import Digest
from jobs.lib.filetypes import HEAD_BYTES, filetype_of
from jobs.lib.mailbox import Mailbox
from jobs.storage.abortable_threads import AbortableThreads
from jobs.storage.bucket import bucket
from jobs.storage.listing import StoredObject
from jobs.storage.object_requests import ObjectRequests

THREADS = 8
FOREVER_SECONDS = 365 * 24 * 3600.0  # requests have timeouts, and attempts are interrupted


class ExaminedObject(NamedTuple):
    """What was found out by reading an object once."""

    sha256: str
    crc32: int
    content_type: str


class ObjectExaminer:
    """Context manager that reads objects of one bucket in threads. Use it in one thread.

    A chunk of each object that is read is in memory. On exit, requests are aborted.
    """

    def __init__(self, bucket_name: str = "") -> None:
        self._objects = bucket().objects_in(bucket_name)
        self._threads = AbortableThreads(PendingObject.run, most=THREADS, name="examine")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._threads.close()

    def examine(self, found: StoredObject) -> PendingObject:
        """Begin to read an object."""
        pending = PendingObject(self._objects, found)
        self._threads.submit(pending)
        return pending

    def look_up(self, key: str) -> PendingObject:
        """Begin to look whether there is an object with this key, without reading it."""
        pending = PendingObject(self._objects, key)
        self._threads.submit(pending)
        return pending


class PendingObject:
    """An object that is examined, or only looked up by its key."""

    def __init__(self, objects: ObjectRequests, found: StoredObject | str) -> None:
        self._objects, self._found = objects, found
        self._result: Mailbox[ExaminedObject | bool | BaseException] = Mailbox()

    def run(self) -> None:
        try:
            found = self._found
            self._result.put(self._exists(found) if isinstance(found, str) else self._read(found))
        except BaseException as error:  # raised by `wait`
            self._result.put(error)

    def wait(self) -> ExaminedObject | None:
        """Return what was read; None if the object is gone or has changed since it was listed.

        Raises StorageUnavailable, and SourceForbidden if it may not be read.
        """
        result = self._wait()
        return result if isinstance(result, ExaminedObject) else None

    def exists(self) -> bool:
        """Return whether the object that was looked up exists. Raises StorageUnavailable."""
        return bool(self._wait())

    def _wait(self) -> ExaminedObject | bool:
        result = self._result.get(timeout_seconds=FOREVER_SECONDS)
        if isinstance(result, BaseException):
            raise result
        return result

    def _exists(self, key: str) -> bool:
        try:
            self._objects.head(key)
        except SourceMissing as error:
            return type(error) is not SourceMissing  # it may only be forbidden
        return True

    def _read(self, found: StoredObject) -> ExaminedObject | bool:
        digest, head = Digest(), b""
        try:
            for chunk in self._objects.read(
                found.key, size_bytes=found.size_bytes, etag=found.etag
            ):
                head = head or chunk[:HEAD_BYTES]
                digest.update(chunk)
        except SourceChanged:
            return False
        except SourceMissing as error:
            if type(error) is not SourceMissing:
                raise
            return False
        if digest.size_bytes != found.size_bytes:
            return False
        return ExaminedObject(digest.sha256, digest.crc32, filetype_of(head, found.key))
