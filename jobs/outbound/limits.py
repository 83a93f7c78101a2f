"""What is too much, and what is too little."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty

from django.conf import settings

from jobs.errors import RemoteTooLarge, RemoteTooSlow
from jobs.lib.mailbox import Mailbox
from jobs.outbound.response import RemoteResponse

PATIENCE = 2  # times REMOTE_SLOW_SECONDS, for all until the first byte


def check_size(size_bytes: int) -> None:
    """Raises RemoteTooLarge."""
    if size_bytes > settings.REMOTE_MAX_BYTES:
        most = settings.REMOTE_MAX_BYTES
        raise RemoteTooLarge(f"The file has more than {most:,} bytes, the most that is fetched.")


def bounded(ask: Callable[[], RemoteResponse]) -> RemoteResponse:
    """What is asked for, but no later than that. Names are resolved, and headers come, without a
    limit of their own: in a thread that is left to itself. Raises RemoteTooSlow."""
    asking = _Asking(ask)
    try:
        found = asking.found.get(timeout_seconds=PATIENCE * settings.REMOTE_SLOW_SECONDS)
    except BaseException as error:
        asking.give_up()
        if isinstance(error, Empty):
            raise RemoteTooSlow("The other side takes too long to answer.") from error
        raise
    if isinstance(found, BaseException):
        raise found
    return found


class _Asking:
    def __init__(self, ask: Callable[[], RemoteResponse]) -> None:
        self.found: Mailbox[RemoteResponse | BaseException] = Mailbox()
        self._ask = ask
        self._is_given_up = False
        threading.Thread(target=self._run, name="ask", daemon=True).start()

    def give_up(self) -> None:
        """What comes in spite of that is closed, by whichever of us sees it last."""
        self._is_given_up = True
        self._close()

    def _run(self) -> None:
        try:
            self.found.put(self._ask())
        except BaseException as error:
            self.found.put(error)
        if self._is_given_up:
            self._close()

    def _close(self) -> None:
        with suppress(Empty):
            late = self.found.get(timeout_seconds=0)
            if isinstance(late, RemoteResponse):
                late.close()


class LowSpeedLimit:
    """Whether enough comes, in the time that is spent waiting for it."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._came = 0

    def check(self, waited_seconds: float, came: int) -> None:
        """Call it again and again. Raises RemoteTooSlow after REMOTE_SLOW_SECONDS of too little."""
        self._waited += waited_seconds
        self._came += came
        if self._waited < settings.REMOTE_SLOW_SECONDS:
            return
        if self._came < settings.REMOTE_MIN_SPEED * self._waited:
            least = settings.REMOTE_MIN_SPEED
            raise RemoteTooSlow(f"The other side sends fewer than {least:,} bytes a second.")
        self._waited, self._came = 0.0, 0
