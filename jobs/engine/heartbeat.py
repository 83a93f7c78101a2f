"""The heartbeat of an attempt: renews its lease, and interrupts its builder when that is lost.

runner.py uses it around a build. Once a second, a thread with its own database connection checks
that the attempt still owns the row. Once a second, a SIGALRM in the main thread checks that the
thread gets confirmations, that the time limit has not passed and that there is progress. Otherwise
it raises Interrupted in the builder, whatever that is doing, also while it waits for a socket. The
alarm itself waits for nothing.

Progress is work done, a new message, a byte to or from the file store, or processor time. Every
other wait has its own timeout, shorter than STALLED_SECONDS: see tests/test_checks.py.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, connections

from jobs import storage
from jobs.engine.progress_clock import ProgressClock, ProgressSpeed
from jobs.engine.time_limit import TimeLimit
from jobs.errors import Interrupted
from jobs.models import DownloadJob

log = structlog.get_logger(__name__)

JOIN_SECONDS = 2
FIRST_BEAT_SECONDS = 0.1  # doubles each time, so that short jobs show progress, too


class Heartbeat:
    """Context manager for the main thread of a worker process; one at a time."""

    def __init__(self, job: DownloadJob, limit: TimeLimit) -> None:
        self._job, self._limit = job, limit
        self._began = time.monotonic()
        self._done = 0
        self._before = 0  # done by earlier attempts
        self._message = job.message
        self._threads = 0
        self._speed = ProgressSpeed()
        self._progress_clock = ProgressClock()
        self._recorded = (0, job.message, 0, 0)  # progress in the row
        self._recorded_at = time.monotonic()
        self._confirmed_at = time.monotonic()
        self._is_lost = False
        self._armed = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._old_handler: Any = signal.signal(signal.SIGALRM, self._on_alarm)
        self._thread.start()
        signal.setitimer(signal.ITIMER_REAL, settings.BEAT_SECONDS, settings.BEAT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._over.set()
        self._thread.join(JOIN_SECONDS)  # it may wait for a frozen database
        signal.signal(
            signal.SIGALRM, self._old_handler
        )  # last: the default action kills the process

    def say(self, message: str) -> None:
        """Set the message of the job. Raises Interrupted."""
        self._message = message
        self.check()

    def advance(self, amount: int, *, threads: int = 0) -> None:
        """Add to the work done. Raises Interrupted."""
        self._done += amount
        self._threads = threads
        self.check()

    def skip(self, amount: int) -> None:
        """Add work done by an earlier attempt: it counts as progress, not for the speed."""
        self._before += amount

    def start_over(self) -> None:
        """Discard the work done so far. The progress that clients see never goes back."""
        self._before = -self._done

    def check(self) -> None:
        """Raises Interrupted if this attempt should stop. Cheap: runs no query."""
        now = time.monotonic()
        limit = self._limit.seconds(total=self._job.total, done=self._done)
        if now - self._began > limit:
            raise Interrupted(timed_out=True, limit_seconds=limit)
        # Without confirmation for so long, the lease may soon be another worker's.
        if self._is_lost or now - self._confirmed_at > settings.FENCE_SECONDS:
            raise Interrupted

    def _check_progress(self) -> None:
        """Raises Interrupted if the attempt makes no progress."""
        if self._stalled_seconds() > settings.STALLED_SECONDS:
            raise Interrupted(stalled=True, limit_seconds=settings.STALLED_SECONDS)

    def _stalled_seconds(self) -> float:
        signs = self._done, self._before, self._message, storage.traffic_bytes()
        return self._progress_clock.stalled_seconds(signs)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        # Each second, because a destructor may swallow one exception. Not inside `__enter__`, after
        # which no `__exit__` would follow, nor inside `__exit__`.
        exempt = (Heartbeat.__enter__.__code__, Heartbeat.__exit__.__code__)
        if self._armed and not (frame and frame.f_code in exempt):
            self.check()
            self._check_progress()

    def _run(self) -> None:
        try:
            pause = FIRST_BEAT_SECONDS
            while not self._over.wait(min(pause, settings.BEAT_SECONDS)):
                pause *= 2
                self._confirm()
                self._kill_if_unresponsive()
        finally:
            connections.close_all()  # of this thread

    def _confirm(self) -> None:
        """Check in the database that the attempt owns the row; interrupt the builder if not."""
        began = time.monotonic()
        try:
            is_current = self._beat()
        except Exception:
            # Perhaps it still does: FENCE_SECONDS limits how long we go on without knowing.
            log.exception("no heartbeat")
            connection.close()
            return
        self._confirmed_at = began
        if not is_current:
            self._is_lost = True
            if not self._over.is_set():
                os.kill(os.getpid(), signal.SIGALRM)  # the next alarm may be a second away

    def _kill_if_unresponsive(self) -> None:
        """Kill this process if it makes no progress and does not react to the alarm.

        C code can block signals. Celery would kill it only after the time limit, which may be days.
        The worker's main process then requeues the job.
        """
        if self._stalled_seconds() > settings.STALLED_SECONDS + settings.KILL_AFTER_SECONDS:
            log.critical("the builder stands still and cannot be interrupted; its process ends")
            os.kill(os.getpid(), signal.SIGKILL)

    def _beat(self) -> bool:
        now = time.monotonic()
        done = max(self._before + self._done, self._recorded[0])
        progress = (done, self._message, self._speed.after(self._done, now), self._threads)
        if progress == self._recorded and now - self._recorded_at < settings.RENEW_SECONDS:
            return self._job.is_current_attempt()
        done, message, speed, threads = progress
        is_current = self._job.heartbeat(done=done, message=message, speed=speed, threads=threads)
        self._recorded, self._recorded_at = progress, now  # not if it raised
        return is_current
