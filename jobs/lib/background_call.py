"""Run a function in a thread, wait for it with a limit, and get its result or its exception.

For what has no timeout of its own, such as resolving a name. The thread cannot be stopped: it is
left to finish by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from typing import Generic, TypeVar

from jobs.lib.mailbox import Mailbox

T = TypeVar("T")


class BackgroundCall(Generic[T]):
    """One call in a daemon thread, started at once.

    `discard` gets a result that comes after `result` has stopped waiting, to close it.
    """

    def __init__(
        self, function: Callable[[], T], *, name: str, discard: Callable[[T], None] | None = None
    ) -> None:
        self._function, self._discard = function, discard
        self._outcome: Mailbox[_Success[T] | BaseException] = Mailbox()
        self._is_abandoned = False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def result(self, *, timeout_seconds: float) -> T:
        """Return what the function returns, or raise what it raises. Raises queue.Empty.

        A signal handler may raise here at any moment: then a late result is discarded, too.
        """
        try:
            outcome = self._outcome.get(timeout_seconds=timeout_seconds)
        except BaseException:
            self._is_abandoned = True
            self._discard_late()
            raise
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome.value

    def _run(self) -> None:
        try:
            self._outcome.put(_Success(self._function()))
        except BaseException as error:
            self._outcome.put(error)
        if self._is_abandoned:
            self._discard_late()

    def _discard_late(self) -> None:
        """Discard a result that is there. Both threads call this: only one of them finds it."""
        with suppress(Empty, IndexError):
            outcome = self._outcome.get(timeout_seconds=0)
            if self._discard and isinstance(outcome, _Success):
                self._discard(outcome.value)


class _Success(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value
