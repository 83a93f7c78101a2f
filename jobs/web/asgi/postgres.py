"""Run prepared statements from the event loop, pipelined over few connections.

Statements of one turn of the loop are sent in one write. Uses libpq directly, since a cursor costs
more than the statement. If the server is down, restarts, or does not answer for TIMEOUT_SECONDS,
all waiting calls raise PostgresUnavailable.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import structlog
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import pq

from jobs.web.asgi.postgres_commands import (
    OK,
    Command,
    CommandUnit,
    PostgresUnavailable,
    Result,
    Value,
)
from jobs.web.asgi.watchdog import Watchdog

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 2.0  # a healthy server answers within milliseconds
PAUSE_SECONDS = 1.0  # after a failure no statements are sent, so that Django answers
MAX_WAITING = 2_000  # units; more would wait for too long
# A plan is made once and kept: one made for a small table would be slow for a large one.
PLANS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
    " -c enable_hashjoin=off -c enable_mergejoin=off"
)


class PostgresPipeline:
    """One connection. It is opened when first used, and again after it broke."""

    def __init__(
        self,
        statements: Mapping[bytes, str],
        *,
        options: str = PLANS,
        alias: str = DEFAULT_DB_ALIAS,
    ) -> None:
        self._alias = alias
        self._statements = statements
        self._options = options
        self._connection: psycopg.Connection[Any] | None = None
        self._socket = (
            -1
        )  # its file descriptor; libpq forgets it if the server closes the connection
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: list[CommandUnit] = []
        self._in_flight: deque[CommandUnit] = deque()
        self._is_send_scheduled = False
        self._watchdog = Watchdog(TIMEOUT_SECONDS, self._on_timeout)
        self._paused_until = 0.0

    @property
    def load(self) -> int:
        """The number of units without a result."""
        return len(self._waiting) + len(self._in_flight)

    async def run(self, commands: Sequence[Command]) -> list[Result]:
        """Run the commands in one transaction and return their results.

        Raises StatementFailed and PostgresUnavailable.
        """
        if time.monotonic() < self._paused_until or self.load >= MAX_WAITING:
            raise PostgresUnavailable("Postgres was just unavailable, or too many wait for it.")
        loop = asyncio.get_running_loop()
        unit = CommandUnit(commands, loop.create_future())
        self._waiting.append(unit)
        if self._connection is None:
            if self._connecting is None:
                self._connecting = loop.create_task(self._connect())
        elif not self._is_send_scheduled:
            self._is_send_scheduled = True
            loop.call_soon(self._send)
        self._watchdog.start()
        return await unit.future

    async def fetch(self, statement: bytes, *params: Value) -> Result:
        """Run one statement and return its result."""
        return (await self.run([(statement, params)]))[0]

    def close(self) -> None:
        if self._connecting:
            self._connecting.cancel()
        self._fail(psycopg.OperationalError("closed"), pause=False)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        connecting = loop.run_in_executor(None, self._open_connection)
        try:
            opened = await asyncio.shield(connecting)
        except psycopg.Error as error:
            self._fail(error)
            return
        except asyncio.CancelledError:
            connecting.add_done_callback(_close_unused)
            raise
        finally:
            self._connecting = None
        self._connection = opened
        self._socket = opened.pgconn.socket
        loop.add_reader(self._socket, self._read)
        self._send()

    def _open_connection(self) -> psycopg.Connection[Any]:
        """Return a connection with all statements prepared. Runs in a thread."""
        params = connections[self._alias].get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold", "pool"):
            params.pop(name, None)
        params["options"] = f"{params.get('options', '')} -c TimeZone=UTC {self._options}"
        opened: psycopg.Connection[Any] = psycopg.Connection.connect(**params, autocommit=True)
        for statement, text in self._statements.items():
            result = opened.pgconn.prepare(statement, text.encode())
            if result.status not in OK:
                opened.close()
                raise psycopg.ProgrammingError(result.error_message.decode(errors="replace"))
        opened.pgconn.nonblocking = 1
        opened.pgconn.enter_pipeline_mode()
        return opened

    def _send(self) -> None:
        self._is_send_scheduled = False
        if self._connection is None:
            return
        pg, units, self._waiting = self._connection.pgconn, self._waiting, []
        try:
            for unit in units:
                for name, params in unit.commands:
                    pg.send_query_prepared(name, params)
                pg.pipeline_sync()
                self._in_flight.append(unit)
            self._flush()
        except psycopg.Error as error:
            self._waiting = [unit for unit in units if unit not in self._in_flight]
            self._fail(error)

    def _flush(self) -> None:
        """Write what the socket accepts; the rest when it accepts more."""
        assert self._connection  # callers make sure
        pg, loop = self._connection.pgconn, asyncio.get_running_loop()
        try:
            if pg.flush():
                loop.add_writer(self._socket, self._flush)
            else:
                loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._fail(error)

    def _read(self) -> None:
        assert self._connection  # the reader is removed with the connection
        pg = self._connection.pgconn
        try:
            pg.consume_input()
            while self._in_flight and not pg.is_busy():
                result = pg.get_result()
                if result is None:  # the end of one command
                    continue
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._in_flight.popleft().settle()
                else:
                    self._in_flight[0].add(result)
        except psycopg.Error as error:
            self._fail(error)
            return
        self._watchdog.reset(is_waiting=self.load > 0)

    def _on_timeout(self) -> None:
        self._fail(psycopg.OperationalError(f"no answer within {TIMEOUT_SECONDS} s"))

    def _fail(self, error: Exception, *, pause: bool = True) -> None:
        """Close the connection and raise PostgresUnavailable in all waiting calls."""
        if pause:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("database", alias=self._alias, error=repr(error))
        self._watchdog.stop()
        if self._connection:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._connection.close()
            self._connection = None
        in_flight, self._in_flight = self._in_flight, deque()
        waiting, self._waiting = self._waiting, []
        for unit in in_flight:
            unit.error = PostgresUnavailable(repr(error), may_have_run=True)
            unit.settle()
        for unit in waiting:
            unit.error = PostgresUnavailable(repr(error))
            unit.settle()


def _close_unused(connecting: asyncio.Future[psycopg.Connection[Any]]) -> None:
    if not connecting.cancelled() and not connecting.exception():
        connecting.result().close()
