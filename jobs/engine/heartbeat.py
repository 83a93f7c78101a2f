"""The heartbeat of one attempt: keeps its lease alive, and stops its builder when it is lost.

Used by runner.py around a build. A thread with a database connection of its own asks each second
whether the attempt still owns the row. An alarm in the main thread looks each second whether that
thread still hears "yes", the time limit is not over and something moves; else the builder gets
Interrupted, whatever it is doing: waiting for a socket included. The alarm asks nobody, so nothing
that hangs stops it.

Something moves if there is progress, a new message, a byte to or from the file store, or if this
process computes. What else may be silent has a limit of its own, shorter than STALLED_SECONDS: see
tests/test_checks.py.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from types import FrameType, TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, connections

from jobs import storage
from jobs.engine.time_limit import TimeLimit
from jobs.errors import Interrupted
from jobs.models import DownloadJob

log = structlog.get_logger(__name__)

JOIN_SECONDS = 2
SPEED_SECONDS = 5  # what happened before says nothing of now
BUSY_SHARE = 0.1  # of one processor: a process that uses more computes
BUSY_SECONDS = 1  # what less time says of it is chance
FIRST_BEAT_SECONDS = 0.1  # then twice as long each time: short work shows progress, too


class Heartbeat:
    """Enter it in the main thread of a worker's process; one at a time."""

    def __init__(self, job: DownloadJob, limit: TimeLimit) -> None:
        self._job, self._limit = job, limit
        self._began = time.monotonic()
        self._done = 0
        self._before = 0  # done by earlier attempts
        self._message = job.message
        self._threads = 0
        self._speed = _Speed()
        self._progress_clock = _ProgressClock()
        self._told = (0, job.message, 0, 0)  # what the row says
        self._told_at = time.monotonic()
        self._confirmed = time.monotonic()
        self._taken_away = False
        self._armed = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._old_handler: Any = signal.signal(signal.SIGALRM, self._on_alarm)
        self._thread.start()
        signal.setitimer(signal.ITIMER_REAL, settings.BEAT_SECONDS, settings.BEAT_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._over.set()
        self._thread.join(JOIN_SECONDS)  # it may hang in a database that is frozen
        signal.signal(signal.SIGALRM, self._old_handler)  # last: by default an alarm kills

    def say(self, message: str) -> None:
        self._message = message
        self.check()

    def advance(self, amount: int, *, threads: int = 0) -> None:
        self._done += amount
        self._threads = threads
        self.check()

    def skip(self, amount: int) -> None:
        """So much was done by an earlier attempt: progress, and no speed."""
        self._before += amount

    def start_over(self) -> None:
        """What was done does not count any more; nobody sees it go back, though."""
        self._before = -self._done

    def check(self) -> None:
        """Raises Interrupted if this attempt should stop. Cheap: asks nobody."""
        now = time.monotonic()
        limit = self._limit.seconds(total=self._job.total, done=self._done)
        if now - self._began > limit:
            raise Interrupted(timed_out=True, limit_seconds=limit)
        # Unconfirmed for so long, the row may be another's soon: lost, as far as we can know.
        if self._taken_away or now - self._confirmed > settings.FENCE_SECONDS:
            raise Interrupted

    def _check_progress(self) -> None:
        """Raises Interrupted if the attempt stands still."""
        if self._stalled_seconds() > settings.STALLED_SECONDS:
            raise Interrupted(stalled=True, limit_seconds=settings.STALLED_SECONDS)

    def _stalled_seconds(self) -> float:
        signs = self._done, self._before, self._message, storage.moved_bytes()
        return self._progress_clock.stalled_seconds(signs)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        # Again each second until it is heard: a destructor may swallow one. Not on the way in or
        # out, though: from `__enter__` no `__exit__` follows, and that must be able to begin.
        door = (Heartbeat.__enter__.__code__, Heartbeat.__exit__.__code__)
        if self._armed and not (frame and frame.f_code in door):
            self.check()
            self._check_progress()

    def _run(self) -> None:
        try:
            pause = FIRST_BEAT_SECONDS
            while not self._over.wait(min(pause, settings.BEAT_SECONDS)):
                pause *= 2
                self._look()
                self._kill_if_unresponsive()
        finally:
            connections.close_all()  # this thread's; in short work none was opened

    def _look(self) -> None:
        asked = time.monotonic()
        try:
            still_mine = self._beat()
        except Exception:
            # The row may still be ours; the fence and the lease bound the doubt.
            log.exception("no heartbeat")
            connection.close()
            return
        self._confirmed = asked
        if not still_mine:
            self._taken_away = True
            if not self._over.is_set():
                os.kill(os.getpid(), signal.SIGALRM)  # the next alarm may be a second away

    def _kill_if_unresponsive(self) -> None:
        """End this process if it stands still and does not hear the alarm: a lock in C, perhaps.

        Celery would, too, but after the time limit, which may be days. The worker's main process
        gives the job back.
        """
        if self._stalled_seconds() > settings.STALLED_SECONDS + settings.KILL_AFTER_SECONDS:
            log.critical("the builder stands still and cannot be interrupted; its process ends")
            os.kill(os.getpid(), signal.SIGKILL)

    def _beat(self) -> bool:
        now = time.monotonic()
        done = max(self._before + self._done, self._told[0])
        told = (done, self._message, self._speed.after(self._done, now), self._threads)
        if told == self._told and now - self._told_at < settings.RENEW_SECONDS:
            return self._job.is_current_attempt()
        done, message, speed, threads = told
        still_mine = self._job.heartbeat(done=done, message=message, speed=speed, threads=threads)
        self._told, self._told_at = told, now  # only now: a beat that failed told nothing
        return still_mine


class _Speed:
    """Units a second, over the last few."""

    def __init__(self) -> None:
        self._seen = deque([(time.monotonic(), 0)])  # when, and how much was done

    def after(self, done: int, now: float) -> int:
        self._seen.append((now, done))
        while now - self._seen[1][0] > SPEED_SECONDS:
            self._seen.popleft()
        began, before = self._seen[0]
        return max(round((done - before) / max(now - began, 0.001)), 0)


class _ProgressClock:
    """Measures how long an attempt has made no progress. Two threads use it, without harm."""

    def __init__(self) -> None:
        self._last: tuple[object, float, float] = None, time.monotonic(), time.process_time()

    def stalled_seconds(self, signs: object) -> float:
        """0 if `signs` have changed, or the process has computed, since somebody asked before."""
        before, since, cpu_seconds = self._last
        now, cpu_now = time.monotonic(), time.process_time()
        still = now - since
        is_busy = still > BUSY_SECONDS and cpu_now - cpu_seconds > BUSY_SHARE * still
        if signs != before or is_busy:
            self._last = signs, now, cpu_now
            return 0
        return still
