"""A connection whose asking side keeps the time.

A server that is frozen, or behind a line that swallows everything, honours neither
`statement_timeout` nor `tcp_user_timeout`: whoever asked it would wait for ever.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from django.conf import settings
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

T = TypeVar("T")


class ImpatientConnection(psycopg.Connection[Any]):
    """Raises OperationalError when the server is silent for DATABASE_WAIT_SECONDS, and closes."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, timeout or settings.DATABASE_WAIT_SECONDS or None)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()  # its answer may still come, and would be taken for the next one
            raise
