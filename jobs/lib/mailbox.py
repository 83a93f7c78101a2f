"""A queue for one reader that signals may interrupt, at any moment. Pure.

`queue.Queue` takes a lock in Python: an exception of a signal's handler can leave it locked. And
`SimpleQueue.get` waits for ever if its time is over while the handler runs (CPython 3.11).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from queue import Empty
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._came = threading.Lock()  # locked while nothing did
        self._came.acquire()

    def put(self, item: T) -> None:
        """From any thread."""
        self._items.append(item)
        with suppress(RuntimeError):  # another came before
            self._came.release()

    def get(self, *, timeout_seconds: float) -> T:
        """Raises queue.Empty."""
        ends = time.monotonic() + timeout_seconds
        while not self._items:
            if not self._came.acquire(timeout=max(ends - time.monotonic(), 0)):
                raise Empty
        return self._items.popleft()
