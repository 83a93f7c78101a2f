"""Requests counted in Redis from the event loop: the counts of jobs/rates.py, pipelined.

What is counted in one turn of the loop goes out in one write, over one connection.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping
from typing import Any

import redis
from django.conf import settings
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection

from jobs import rates
from jobs.rates import COUNT, OPEN_SECONDS, Count, Increment, RatesUnknown

SHA1 = hashlib.sha1(COUNT.encode(), usedforsecurity=False).hexdigest()
Command = tuple[Any, ...]
Reply = asyncio.Future[Any]


class RateCounter:
    """Counts as `rates.count` does, for who may pass uncounted while Redis is silent."""

    def __init__(self) -> None:
        self._pending: deque[tuple[Command, Reply]] = deque()  # in the order of their replies
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    async def count(self, scope: str, callers: Mapping[str, str]) -> list[Count]:
        """How the caller stands in each rate. Raises RatesUnknown where Redis does not tell."""
        increment = Increment.of(scope, callers)
        if not increment.rates:
            return []
        if rates.is_resting():
            raise RatesUnknown
        keys = increment.keys
        return increment.counts(
            await self._ask("EVALSHA", SHA1, len(keys), *keys, *increment.limits)
        )

    def close(self) -> None:
        if self._task:
            self._task.cancel()

    def _ask(self, *command: Any) -> Reply:
        loop = asyncio.get_running_loop()
        reply: Reply = loop.create_future()
        self._pending.append((command, reply))
        self._came.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        if self._deadline is None:
            self._arm()
        return reply

    async def _run(self) -> None:
        """Send what was asked and hand out the replies, as long as Redis is there."""
        is_retry = False
        while True:
            pool: Any = ConnectionPool.from_url(settings.CACHE_URL, protocol=2)
            connection = pool.make_connection()
            try:
                await _prepare(connection)
                while True:
                    await self._exchange(connection)
                    is_retry = False
            except (redis.RedisError, OSError) as error:
                # Only a line that was cut, as by Redis' restart, is worth another try at once.
                if is_retry or not isinstance(error, redis.ConnectionError):
                    self._fail(error)
                    return
                is_retry = True
            finally:
                await connection.disconnect(nowait=True)

    async def _exchange(self, connection: AbstractConnection) -> None:
        """One write, and the replies to it."""
        if not self._pending:
            self._came.clear()
            await self._came.wait()
        commands = [command for command, _ in self._pending]
        packed = connection.pack_commands(commands)
        await connection.send_packed_command(packed, check_health=False)
        for _ in commands:
            self._settle(await connection.read_response())

    def _settle(self, value: Any) -> None:
        _, reply = self._pending.popleft()
        if not reply.done():  # else whoever waited is gone
            reply.set_result(value)
        self._disarm()
        if self._pending:
            self._arm()

    def _arm(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(OPEN_SECONDS, self._late)

    def _disarm(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._fail(TimeoutError(f"no answer within {OPEN_SECONDS} s"))
        self.close()

    def _fail(self, error: Exception) -> None:
        """Whoever waits passes uncounted, and so does everybody for a while."""
        rates.rest(error)
        self._disarm()
        pending, self._pending = self._pending, deque()
        for _, reply in pending:
            if not reply.done():
                reply.set_exception(RatesUnknown())


async def _prepare(connection: AbstractConnection) -> None:
    await connection.connect()  # type: ignore[no-untyped-call]
    await connection.send_command("SCRIPT", "LOAD", COUNT)
    await connection.read_response()
