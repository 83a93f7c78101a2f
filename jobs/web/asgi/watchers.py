"""Who waits for a job to change: event streams and long polls, at no cost while nothing changes.

A change is announced by Redis (jobs/lib/changes.py), as a hint; each second the versions of all
watched jobs are read as well, in one statement. Then the job is read once for each user who
watches it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self

import redis
import structlog
from django.conf import settings
from redis.asyncio import Redis

from jobs.lib.changes import CHANNEL
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.jobs import Jobs, OwnJob
from jobs.web.asgi.postgres import Refused, Unavailable

log = structlog.get_logger(__name__)

MAX_WATCHES = 20_000  # of a process
LOOK_SECONDS = 1.0  # between two looks at the versions
SUBSCRIBE_AGAIN_SECONDS = 1.0


class TooMany(Exception):
    """There is no room for another watch, or none for this user."""


class Ended(Exception):
    """The process stops: nobody is told of anything any more."""


class Watch:
    """One client that waits for one job or for several. Leave it by `with`."""

    __slots__ = ("_has_ended", "_latest", "_waiter", "_watchers", "caller", "versions")

    def __init__(self, watchers: Watchers, caller: Caller, versions: dict[str, int]) -> None:
        self._watchers = watchers
        self._waiter: asyncio.Future[None] | None = None
        self._latest: dict[str, OwnJob | None] = {}  # what it was told, and has not taken
        self._has_ended = False
        self.caller = caller
        self.versions = versions  # of each job, that the client has

    def __enter__(self) -> Self:
        self._watchers.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watchers.remove(self)

    async def changes(self, seconds: float) -> dict[str, OwnJob | None]:
        """The jobs that are of another version by now. Raises TimeoutError where none is.

        A job is None where the user may no longer see it. Raises Ended when the process stops.
        """
        if not self._latest and not self._has_ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            finally:
                self._waiter = None
        if self._has_ended:
            raise Ended
        latest, self._latest = self._latest, {}
        for job_id, found in latest.items():
            if found:
                self.versions[job_id] = found.job.version
        return latest

    def tell(self, job_id: str, found: OwnJob | None) -> None:
        if found and found.job.version == self.versions[job_id]:
            return
        self._latest[job_id] = found
        self._wake()

    def end(self) -> None:
        self._has_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


class Watchers:
    """All watches of one process."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._watches: dict[str, set[Watch]] = {}  # by job
        self._versions: dict[str, int] = {}  # that all watches of a job have, or were told of
        self._reading: dict[str, bool] = {}  # jobs, and whether one has changed again meanwhile
        self._count = 0
        self._of_user: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._has_ended = False

    def add(self, watch: Watch) -> None:
        """Raises TooMany. One user may have as many as are still free, so others find room."""
        if self._has_ended or self._of_user[watch.caller.user_id] >= MAX_WATCHES - self._count:
            raise TooMany
        self._count += 1
        self._of_user[watch.caller.user_id] += 1
        for job_id, version in watch.versions.items():
            self._watches.setdefault(job_id, set()).add(watch)
            self._versions[job_id] = min(self._versions.get(job_id, version), version)
        if not self._tasks:
            self._start(self._subscribe())
            self._start(self._look())

    def remove(self, watch: Watch) -> None:
        self._count -= 1
        self._of_user[watch.caller.user_id] -= 1
        if not self._of_user[watch.caller.user_id]:
            del self._of_user[watch.caller.user_id]
        for job_id in watch.versions:
            watches = self._watches[job_id]
            watches.discard(watch)
            if not watches:
                del self._watches[job_id], self._versions[job_id]

    def end(self) -> None:
        """The process stops."""
        self._has_ended = True
        for watches in self._watches.values():
            for watch in watches:
                watch.end()

    def close(self) -> None:
        self._has_ended = True  # Redis' client may swallow what cancels it
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _subscribe(self) -> None:
        """Hear what is announced, as long as Redis is there, and again when it is back."""
        while not self._has_ended:
            try:
                client = Redis.from_url(settings.CACHE_URL, protocol=2)
                async with client, client.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._changed(message["data"].decode())
            except (redis.RedisError, OSError) as error:
                log.warning("changes are not heard", error=repr(error))
            await asyncio.sleep(SUBSCRIBE_AGAIN_SECONDS)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._versions:
                with suppress(Unavailable, Refused):
                    for job_id in await self._jobs.changed(self._versions):
                        self._changed(job_id)

    def _changed(self, job_id: str) -> None:
        if job_id in self._reading:
            self._reading[job_id] = True
        elif job_id in self._watches:
            self._reading[job_id] = False
            self._start(self._read(job_id))

    async def _read(self, job_id: str) -> None:
        """Once for each user; what changed meanwhile is read again."""
        try:
            while job_id in self._watches:
                self._reading[job_id] = False
                for caller in {watch.caller for watch in self._watches.get(job_id, ())}:
                    self._tell(job_id, caller, await self._jobs.own(caller, job_id))
                if not self._reading[job_id]:
                    return
        except (Unavailable, Refused):  # the next look finds it changed still
            pass
        finally:
            self._reading.pop(job_id, None)

    def _tell(self, job_id: str, caller: Caller, found: OwnJob | None) -> None:
        for watch in self._watches.get(job_id, ()):
            if watch.caller == caller:
                watch.tell(job_id, found)
        if found and job_id in self._versions:
            self._versions[job_id] = found.job.version
