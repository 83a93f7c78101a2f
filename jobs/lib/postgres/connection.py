"""A connection with timeouts on the client side.

A server that is frozen, or behind a line that swallows everything, honours neither
`statement_timeout` nor `tcp_user_timeout`: its caller would wait for ever.
"""

from __future__ import annotations

import select
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

T = TypeVar("T")
LOOK_SECONDS = 2  # an empty query asks for nothing: a server that is well answers at once


class PostgresConnection(psycopg.Connection[Any]):
    """Closes and raises OperationalError if the server sends nothing for DATABASE_WAIT_SECONDS."""

    most_seconds: float | None = None  # less, for quick queries

    def check(self) -> None:
        """Raise OperationalError unless the server responds within LOOK_SECONDS."""
        self.most_seconds = LOOK_SECONDS
        try:
            ConnectionPool.check_connection(self)
        finally:
            self.most_seconds = None

    def has_pending_input(self) -> bool:
        """Return whether the idle connection has data to read, as when the server closed it."""
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        most = timeout or self.most_seconds or settings.DATABASE_WAIT_SECONDS or None
        try:
            return super().wait(gen, interval, most)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()  # its answer may still come, and would be taken for the next one
            raise
