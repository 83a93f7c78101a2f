"""Commands for Postgres that succeed or fail together, and what they return."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from psycopg import pq

OK = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}
Value = bytes | None
Row = list[Value]
Result = pq.abc.PGresult
Command = tuple[bytes, Sequence[Value] | None]  # a prepared statement's name, and its parameters


def command_rows(result: Result) -> list[Row]:
    """Return all rows of a result, as bytes."""
    get, columns = result.get_value, range(result.nfields)
    return [[get(n, c) for c in columns] for n in range(result.ntuples)]


def postgres_array(values: Sequence[Value]) -> bytes:
    """Return an array literal of numbers, UUIDs, timestamps or hexadecimal digests."""
    return b"{%b}" % b",".join([b"NULL" if value is None else value for value in values])


class PostgresUnavailable(Exception):
    """Postgres did not answer in time, or the connection broke."""

    def __init__(self, reason: str, *, may_have_run: bool = False) -> None:
        super().__init__(reason)
        self.may_have_run = may_have_run  # if False, nothing was sent


class StatementFailed(Exception):
    """Postgres answered with an error, and rolled back. `sqlstate` is its code."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class CommandUnit:
    """Commands that succeed or fail together, and the future for their results."""

    __slots__ = ("commands", "error", "future", "results")

    def __init__(self, commands: Sequence[Command], future: asyncio.Future[list[Result]]):
        self.commands = commands
        self.future = future
        self.results: list[Result] = []
        self.error: Exception | None = None

    def add(self, result: Result) -> None:
        """Add the result of the next command, or keep the first error."""
        if result.status in OK:
            self.results.append(result)
        elif self.error is None:  # the first one: the commands after it were skipped
            state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
            self.error = StatementFailed(
                state.decode(), result.error_message.decode(errors="replace")
            )

    def settle(self) -> None:
        """Set the result or the error of the future."""
        if self.future.done():  # cancelled
            return
        if self.error:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.results)
