"""Postgres asked from the event loop: prepared statements over few connections, pipelined.

What is asked for in one turn of the loop goes out in one write. libpq is used directly, since a
cursor costs more than the statement. Raises Unavailable, also for whoever was waiting, where the
server is away, restarts, or is silent for ANSWER_SECONDS.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import structlog
from django.db import connection
from psycopg import pq

from jobs.web.asgi.watchdog import Watchdog

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 2.0  # a server that is well answers within milliseconds
REST_SECONDS = 1.0  # after it did not, nobody asks for so long: Django says what is to be said
MAX_WAITING = 2_000  # units; more would wait for longer than anybody does
OK = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}
# A plan is made once and kept: with few rows in the table it must not be one for few rows.
PLANS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
    " -c enable_hashjoin=off -c enable_mergejoin=off"
)

Value = bytes | None
Row = list[Value]
Result = pq.abc.PGresult
Command = tuple[bytes, Sequence[Value] | None]  # a prepared statement's name, and its parameters


def rows(result: Result) -> list[Row]:
    get, columns = result.get_value, range(result.nfields)
    return [[get(n, c) for c in columns] for n in range(result.ntuples)]


class Unavailable(Exception):
    """Postgres does not answer, or not in time."""

    def __init__(self, reason: str, *, may_have_run: bool = False) -> None:
        super().__init__(reason)
        self.may_have_run = may_have_run  # else it was never asked


class Refused(Exception):
    """Postgres answered with an error: nothing was done. `sqlstate` says which."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class _Unit:
    """Commands that succeed or fail together, and whoever waits for the result of each."""

    __slots__ = ("commands", "error", "future", "results")

    def __init__(self, commands: Sequence[Command], future: asyncio.Future[list[Result]]):
        self.commands = commands
        self.future = future
        self.results: list[Result] = []
        self.error: Exception | None = None

    def take(self, result: Result) -> None:
        if result.status in OK:
            self.results.append(result)
        elif self.error is None:  # the first one; what follows was skipped for it
            state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
            self.error = Refused(state.decode(), result.error_message.decode(errors="replace"))

    def settle(self) -> None:
        if self.future.done():  # whoever waited is gone
            return
        if self.error:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.results)


class Pipeline:
    """One connection. It is made when first asked, and made anew after it broke."""

    def __init__(self, statements: Mapping[bytes, str], *, options: str = PLANS) -> None:
        self._statements = statements
        self._options = options
        self._connection: psycopg.Connection[Any] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: list[_Unit] = []
        self._flying: deque[_Unit] = deque()
        self._is_to_send = False
        self._watchdog = Watchdog(ANSWER_SECONDS, self._on_silence)
        self._rests_until = 0.0

    @property
    def load(self) -> int:
        """How many units it has in hand."""
        return len(self._waiting) + len(self._flying)

    async def run(self, commands: Sequence[Command]) -> list[Result]:
        """The result of each command. Raises Refused and Unavailable.

        Without BEGIN and COMMIT among them they are one transaction as well.
        """
        if time.monotonic() < self._rests_until or self.load >= MAX_WAITING:
            raise Unavailable("Postgres was away just now, or too many wait for it.")
        loop = asyncio.get_running_loop()
        unit = _Unit(commands, loop.create_future())
        self._waiting.append(unit)
        if self._connection is None:
            if self._connecting is None:
                self._connecting = loop.create_task(self._connect())
        elif not self._is_to_send:
            self._is_to_send = True
            loop.call_soon(self._send)
        self._watchdog.asked()
        return await unit.future

    async def fetch(self, statement: bytes, *params: Value) -> Result:
        """The result of one statement."""
        return (await self.run([(statement, params)]))[0]

    def close(self) -> None:
        if self._connecting:
            self._connecting.cancel()
        self._fail(psycopg.OperationalError("closed"), rest=False)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        connecting = loop.run_in_executor(None, self._prepared)
        try:
            found = await asyncio.shield(connecting)
        except psycopg.Error as error:
            self._fail(error)
            return
        except asyncio.CancelledError:
            connecting.add_done_callback(_close_unused)
            raise
        finally:
            self._connecting = None
        self._connection = found
        loop.add_reader(found.pgconn.socket, self._read)
        self._send()

    def _prepared(self) -> psycopg.Connection[Any]:
        """In a thread: a connection with all statements prepared."""
        params = connection.get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold", "pool"):
            params.pop(name, None)
        params["options"] = f"{params.get('options', '')} -c TimeZone=UTC {self._options}"
        found: psycopg.Connection[Any] = psycopg.Connection.connect(**params, autocommit=True)
        for statement, text in self._statements.items():
            result = found.pgconn.prepare(statement, text.encode())
            if result.status not in OK:
                found.close()
                raise psycopg.ProgrammingError(result.error_message.decode(errors="replace"))
        found.pgconn.nonblocking = 1
        found.pgconn.enter_pipeline_mode()
        return found

    def _send(self) -> None:
        self._is_to_send = False
        if self._connection is None:
            return
        pg, units, self._waiting = self._connection.pgconn, self._waiting, []
        try:
            for unit in units:
                for name, params in unit.commands:
                    pg.send_query_prepared(name, params)
                pg.pipeline_sync()
                self._flying.append(unit)
            self._flush()
        except psycopg.Error as error:
            self._waiting = [unit for unit in units if unit not in self._flying]
            self._fail(error)

    def _flush(self) -> None:
        """Write what the socket takes; the rest as soon as it takes more."""
        assert self._connection  # whoever calls has it
        pg, loop = self._connection.pgconn, asyncio.get_running_loop()
        try:
            if pg.flush():
                loop.add_writer(pg.socket, self._flush)
            else:
                loop.remove_writer(pg.socket)
        except psycopg.Error as error:
            self._fail(error)

    def _read(self) -> None:
        assert self._connection  # it is read from because it is there
        pg = self._connection.pgconn
        try:
            pg.consume_input()
            while self._flying and not pg.is_busy():
                result = pg.get_result()
                if result is None:  # the end of one command
                    continue
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._flying.popleft().settle()
                else:
                    self._flying[0].take(result)
        except psycopg.Error as error:
            self._fail(error)
            return
        self._watchdog.heard(is_waiting=self.load > 0)

    def _on_silence(self) -> None:
        self._fail(psycopg.OperationalError(f"no answer within {ANSWER_SECONDS} s"))

    def _fail(self, error: Exception, *, rest: bool = True) -> None:
        """Give up the connection, and whoever waits for it."""
        if rest:
            self._rests_until = time.monotonic() + REST_SECONDS
            log.warning("database", error=repr(error))
        self._watchdog.stop()
        if self._connection:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._connection.pgconn.socket)
            loop.remove_writer(self._connection.pgconn.socket)
            self._connection.close()
            self._connection = None
        flying, self._flying = self._flying, deque()
        waiting, self._waiting = self._waiting, []
        for unit in flying:
            unit.error = Unavailable(repr(error), may_have_run=True)
            unit.settle()
        for unit in waiting:
            unit.error = Unavailable(repr(error))
            unit.settle()


def _close_unused(connecting: asyncio.Future[psycopg.Connection[Any]]) -> None:
    if not connecting.cancelled() and not connecting.exception():
        connecting.result().close()
