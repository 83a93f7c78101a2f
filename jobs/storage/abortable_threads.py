"""A few threads that request objects for another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from jobs.storage.abortable_connections import Abort

JOIN_SECONDS = 1
T = TypeVar("T")


class AbortableThreads(Generic[T]):
    """Calls `work` with each task, in at most `most` threads, which start when there are tasks.

    `work` handles its exceptions. Use an instance in one thread. That thread takes no lock, so a
    signal handler may raise anywhere.
    """

    def __init__(self, work: Callable[[T], None], *, most: int, name: str) -> None:
        self._work, self._most, self._name = work, most, name
        self._abort = Abort()
        self._tasks: SimpleQueue[T | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, task: T) -> None:
        self._tasks.put(task)
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Abort requests, drop tasks, and wait for the threads for at most JOIN_SECONDS."""
        self._abort.set()
        for _ in self._threads:
            self._tasks.put(None)
        ends = time.monotonic() + JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(ends - time.monotonic(), 0))

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            with self._abort.watched():
                if not self._abort.is_set:
                    self._work(task)
