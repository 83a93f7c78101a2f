"""A queue for one reader that signal handlers may interrupt at any moment. Pure.

`queue.Queue` takes a lock in Python: an exception in a signal handler can leave it locked. And
`SimpleQueue.get` waits forever if its timeout ends while the handler runs (CPython 3.11).
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
    """First in, first out. Any thread may put, one thread gets."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._arrived = threading.Lock()  # locked while it is empty
        self._arrived.acquire()

    def put(self, item: T) -> None:
        """Add an item. Any thread may call it."""
        self._items.append(item)
        with suppress(RuntimeError):  # it is released already
            self._arrived.release()

    def get(self, *, timeout_seconds: float) -> T:
        """Remove and return the oldest item. Raises queue.Empty after the timeout."""
        ends = time.monotonic() + timeout_seconds
        while not self._items:
            if not self._arrived.acquire(timeout=max(ends - time.monotonic(), 0)):
                raise Empty
        return self._items.popleft()
