"""The heartbeat of one attempt: keeps its lease alive, and stops its builder when it is lost.

Used by runner.py around a build. A thread with a database connection of its own asks each second
whether the attempt still owns the row; when it does not, or when the time limit is over, the main
thread gets Interrupted by way of a signal, whatever it is doing: waiting for a socket included.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.db import close_old_connections, connection

from jobs.errors import Interrupted
from jobs.models import DownloadJob

log = structlog.get_logger(__name__)

JOIN_SECONDS = 2
FIRST_BEAT_SECONDS = 0.1  # then twice as long each time: short work shows progress, too


class Pulse:
    """Enter it in the main thread of a worker's process; one at a time."""

    def __init__(self, job: DownloadJob, *, limit_seconds: float) -> None:
        self._job = job
        self._ends = time.monotonic() + limit_seconds
        self._done = 0
        self._message = job.message
        self._told = (0, job.message, time.monotonic())  # what the row says, and since when
        self._confirmed = time.monotonic()
        self._stop: Interrupted | None = None
        self._armed = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
        self._old_handler: Any = signal.signal(signal.SIGUSR2, self._interrupt)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._armed = False
        self._over.set()
        self._thread.join(JOIN_SECONDS)  # it may hang in a database that is frozen
        signal.signal(signal.SIGUSR2, self._old_handler)

    def say(self, message: str) -> None:
        self._message = message
        self.check()

    def advance(self, amount: int) -> None:
        self._done += amount
        self.check()

    def check(self) -> None:
        """Raises Interrupted if this attempt should stop. Cheap: asks nobody."""
        if time.monotonic() - self._confirmed > settings.FENCE_SECONDS:
            self._stop = self._stop or Interrupted(timed_out=False)
        if self._stop:
            raise self._stop

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # Not on the way out either: `__exit__` must be able to begin.
        leaving = frame is not None and frame.f_code is Pulse.__exit__.__code__
        if self._stop and self._armed and not leaving:
            raise self._stop

    def _run(self) -> None:
        try:
            pause = FIRST_BEAT_SECONDS
            while not self._over.wait(min(pause, settings.BEAT_SECONDS)):
                pause *= 2
                self._look()
                if self._stop and not self._over.is_set():
                    # Again each second until it is heard: a destructor may swallow one.
                    os.kill(os.getpid(), signal.SIGUSR2)
        finally:
            connection.close()

    def _look(self) -> None:
        if time.monotonic() > self._ends:
            self._stop = self._stop or Interrupted(timed_out=True)
            return
        try:
            still_mine = self._beat()
        except Exception:
            # The row may still be ours; the fence in `check` and the lease bound the doubt.
            log.exception("no heartbeat")
            close_old_connections()
            still_mine = time.monotonic() - self._confirmed < settings.FENCE_SECONDS
        else:
            self._confirmed = time.monotonic()
        if not still_mine:
            self._stop = self._stop or Interrupted(timed_out=False)

    def _beat(self) -> bool:
        done, message, now = self._done, self._message, time.monotonic()
        told_done, told_message, told_at = self._told
        if (done, message) == (told_done, told_message) and now - told_at < settings.RENEW_SECONDS:
            return self._job.is_mine()
        still_mine = self._job.beat(done=done, message=message)
        self._told = (done, message, now)  # only now: a beat that failed told nothing
        return still_mine
