"""Parts in memory: filled by anybody, then stored, and hashed in the order of the file."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from jobs.kinds.remote.ranges import Plan
from jobs.lib.digest import Digest
from jobs.lib.mailbox import Mailbox
from jobs.workspace import Parts

STORING = 4  # parts on their way into the store at once


class Assembly:
    """At most so many parts are in memory. What it does by itself it does under `lock`, too.

    `ended` gets the error that made storing impossible, or None once all is stored and hashed. If
    some parts were stored before, `digest` stays short of the whole file.
    """

    def __init__(self, parts: Parts, plan: Plan, *, most: int, lock: threading.Condition) -> None:
        self.digest = Digest()
        self.ended: Mailbox[BaseException | None] = Mailbox()
        self._parts, self._plan, self._most, self._lock = parts, plan, most, lock
        self._buffers: dict[int, bytearray] = {}  # by part
        self._spare: list[bytearray] = []
        self._to_store = plan.parts - len(parts.stored)
        self._to_hash = 0 if parts.stored else plan.parts
        self._whole: set[int] = set()  # parts that can be hashed, once it is their turn
        self._wanted: dict[int, int] = {}  # by part: 2 while it is to be stored and hashed
        self._storing = ThreadPoolExecutor(STORING, thread_name_prefix="store")
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="hash")
        self._tell_if_over()

    @property
    def room(self) -> int:
        """How many parts more may be opened."""
        return self._most - len(self._buffers)

    def open(self, parts: Iterable[int]) -> None:
        """Somebody begins to fill them, or some more of them."""
        for part in parts:
            if part not in self._buffers:
                spare = self._spare.pop() if self._spare else bytearray(self._plan.part_bytes)
                self._buffers[part] = spare

    def write(self, part: int, offset: int, chunk: memoryview) -> None:
        self._buffers[part][offset : offset + len(chunk)] = chunk

    def close(self, part: int) -> None:
        """All of it was written."""
        self._wanted[part] = 2 if self._to_hash else 1
        self._storing.submit(self._store, part)
        if self._to_hash:
            self._whole.add(part)
            self._hashing.submit(self._hash)

    def store_the_rest(self) -> None:
        """Of the parts that are whole. Waits for the store, as long as that waits for itself."""
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
        """What is whole at the front; only one thread is in here."""
        while (part := self._plan.parts - self._to_hash) in self._whole:
            self.digest.update(self._content(part))
            with self._lock:
                self._to_hash -= 1
                self._release(part)

    def _content(self, part: int) -> bytearray:
        buffer, size = self._buffers[part], self._plan.size_of(part)
        return buffer if size == len(buffer) else buffer[:size]

    def _release(self, part: int) -> None:
        self._wanted[part] -= 1
        if not self._wanted[part]:
            self._spare.append(self._buffers.pop(part))
            self._lock.notify_all()
        self._tell_if_over()

    def _tell_if_over(self) -> None:
        if not (self._to_store or self._to_hash):
            self.ended.put(None)
