"""Wait for jobs to change, for event streams and long polls.

Redis publishes changes (jobs/lib/changes.py), as a hint. Each second one statement also reads the
versions of all watched jobs. A changed job is read once for each user who watches it.
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
from jobs.web.asgi.job_reader import JobReader
from jobs.web.asgi.job_source import OwnJob
from jobs.web.asgi.postgres_commands import PostgresUnavailable, StatementFailed

log = structlog.get_logger(__name__)

MAX_WATCHES = 20_000  # in a process
QUERY_SECONDS = 1.0  # between queries of the versions
SUBSCRIBE_AGAIN_SECONDS = 1.0


class TooMany(Exception):
    """Too many watches, or too many of this user."""


class Ended(Exception):
    """The process stops: there will be no more changes."""


class Watch:
    """A client that waits for one or several jobs. Use it with `with`."""

    __slots__ = ("_has_ended", "_latest", "_waiter", "_watchers", "caller", "versions")

    def __init__(self, watchers: Watchers, caller: Caller, versions: dict[str, int]) -> None:
        self._watchers = watchers
        self._waiter: asyncio.Future[None] | None = None
        self._latest: dict[str, OwnJob | None] = {}  # changes that `changes` has not returned
        self._has_ended = False
        self.caller = caller
        self.versions = versions  # of each job, as the client has it

    def __enter__(self) -> Self:
        self._watchers.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watchers.remove(self)

    async def changes(self, seconds: float) -> dict[str, OwnJob | None]:
        """Wait for jobs with another version, and return them. Raises TimeoutError.

        A job is None if the user may no longer see it. Raises Ended when the process stops.
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

    def notify(self, job_id: str, found: OwnJob | None) -> None:
        """Store a change and wake the client, unless it has this version."""
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

    def __init__(self, jobs: JobReader) -> None:
        self._jobs = jobs
        self._watches: dict[str, set[Watch]] = {}  # by job
        self._versions: dict[str, int] = {}  # that all watches of a job have
        self._reading: dict[str, bool] = {}  # job ids; True if the job changed again meanwhile
        self._count = 0
        self._of_user: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._has_ended = False

    def add(self, watch: Watch) -> None:
        """Add a watch. Raises TooMany: a user may have as many as remain free for others."""
        if self._has_ended or self._of_user[watch.caller.user_id] >= MAX_WATCHES - self._count:
            raise TooMany
        self._count += 1
        self._of_user[watch.caller.user_id] += 1
        for job_id, version in watch.versions.items():
            self._watches.setdefault(job_id, set()).add(watch)
            self._versions[job_id] = min(self._versions.get(job_id, version), version)
        if not self._tasks:
            self._start(self._subscribe())
            self._start(self._query())

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
        """End all watches when the process stops."""
        self._has_ended = True
        for watches in self._watches.values():
            for watch in watches:
                watch.end()

    def close(self) -> None:
        self._has_ended = True  # the Redis client may swallow the cancellation
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _subscribe(self) -> None:
        """Receive changes from Redis. Subscribes again after an error."""
        while not self._has_ended:
            try:
                client = Redis.from_url(settings.CACHE_URL, protocol=2)
                async with client, client.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._changed(message["data"].decode())
            except (redis.RedisError, OSError) as error:
                log.warning("changes are not received", error=repr(error))
            await asyncio.sleep(SUBSCRIBE_AGAIN_SECONDS)

    async def _query(self) -> None:
        """Query the versions of all watched jobs, each second."""
        while True:
            await asyncio.sleep(QUERY_SECONDS)
            if self._versions:
                with suppress(PostgresUnavailable, StatementFailed):
                    for job_id in await self._jobs.changed(self._versions):
                        self._changed(job_id)

    def _changed(self, job_id: str) -> None:
        if job_id in self._reading:
            self._reading[job_id] = True
        elif job_id in self._watches:
            self._reading[job_id] = False
            self._start(self._read(job_id))

    async def _read(self, job_id: str) -> None:
        """Read a job once for each user, and again if it changed meanwhile."""
        try:
            while job_id in self._watches:
                self._reading[job_id] = False
                newer = self._versions[job_id] + 1
                for caller in {watch.caller for watch in self._watches.get(job_id, ())}:
                    found = await self._jobs.own(caller, job_id, seen=newer)
                    self._notify(job_id, caller, found)
                if not self._reading[job_id]:
                    return
        except (PostgresUnavailable, StatementFailed):  # the next query finds the change again
            pass
        finally:
            self._reading.pop(job_id, None)

    def _notify(self, job_id: str, caller: Caller, found: OwnJob | None) -> None:
        for watch in self._watches.get(job_id, ()):
            if watch.caller == caller:
                watch.notify(job_id, found)
        if found and job_id in self._versions:
            self._versions[job_id] = found.job.version
