"""Buffers for the parts of a file: filled by connections, then stored, and hashed in order."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from jobs.kinds.remote.ranges import RangePlan
from jobs.lib.digest import Digest
from jobs.lib.mailbox import Mailbox
from jobs.workspace import WorkspaceParts

STORING = 4  # parts that are stored at the same time


class Assembly:
    """Holds at most `most` parts in memory. Its own threads take `lock`, too.

    `ended` receives the error that stopped it, or None once everything is stored and hashed. If
    some parts were stored by an earlier attempt, `digest` is not of the whole file.
    """

    def __init__(
        self, parts: WorkspaceParts, plan: RangePlan, *, most: int, lock: threading.Condition
    ) -> None:
        self.digest = Digest()
        self.ended: Mailbox[BaseException | None] = Mailbox()
        self._parts, self._plan, self._most, self._lock = parts, plan, most, lock
        self._buffers: dict[int, bytearray] = {}  # by part
        self._spare: list[bytearray] = []
        self._to_store = plan.parts - len(parts.stored)
        self._to_hash = 0 if parts.stored else plan.parts
        self._whole: set[int] = set()  # complete parts, to be hashed in order
        self._uses: dict[int, int] = {}  # by part: 2 while it has to be stored and hashed
        self._storing = ThreadPoolExecutor(STORING, thread_name_prefix="store")
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="hash")
        self._report_end()

    @property
    def room(self) -> int:
        """The number of parts that may still be opened."""
        return self._most - len(self._buffers)

    def open(self, parts: Iterable[int]) -> None:
        """Allocate buffers for the parts, unless they have one."""
        for part in parts:
            if part not in self._buffers:
                spare = self._spare.pop() if self._spare else bytearray(self._plan.part_bytes)
                self._buffers[part] = spare

    def write(self, part: int, offset: int, chunk: memoryview) -> None:
        self._buffers[part][offset : offset + len(chunk)] = chunk

    def close(self, part: int) -> None:
        """Store and hash the part, which is complete."""
        self._uses[part] = 2 if self._to_hash else 1
        self._storing.submit(self._store, part)
        if self._to_hash:
            self._whole.add(part)
            self._hashing.submit(self._hash)

    def finish_storing(self) -> None:
        """Wait until all complete parts are stored."""
        self._storing.shutdown()

    def stop(self) -> None:
        self._storing.shutdown(wait=False, cancel_futures=True)
        self._hashing.shutdown(wait=False, cancel_futures=True)

    def _store(self, part: int) -> None:
        try:
            self._parts.put(part, self._content(part))
        except BaseException as error:
            self.ended.put(error)
            return
        with self._lock:
            self._to_store -= 1
            self._release(part)

    def _hash(self) -> None:
        """Hash complete parts in order. Runs in one thread only."""
        while (part := self._plan.parts - self._to_hash) in self._whole:
            self.digest.update(self._content(part))
            with self._lock:
                self._to_hash -= 1
                self._release(part)

    def _content(self, part: int) -> bytearray:
        buffer, size = self._buffers[part], self._plan.size_of(part)
        return buffer if size == len(buffer) else buffer[:size]

    def _release(self, part: int) -> None:
        self._uses[part] -= 1
        if not self._uses[part]:
            self._spare.append(self._buffers.pop(part))
            self._lock.notify_all()
        self._report_end()

    def _report_end(self) -> None:
        if not (self._to_store or self._to_hash):
            self.ended.put(None)
