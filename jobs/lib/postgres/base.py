"""Django's Postgres backend, with timeouts on the client side.

With a pool (default_settings) the pool is told the class; here is how it is done without one.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from jobs.lib.postgres.connection import PostgresConnection

ALIVE_SECONDS = 1  # that a check is good for


class DatabaseWrapper(base.DatabaseWrapper):
    _checked_at = 0.0  # when a connection was last found to be usable

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.settings_dict["OPTIONS"].get("pool"):
            return self._pooled(conn_params)
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # as Django's method does
        return PostgresConnection.connect(**conn_params)

    def is_usable(self) -> bool:
        """As Django's method, which waits for a frozen server as long as for a slow query.

        A connection that was checked within ALIVE_SECONDS is checked again only if it was closed.
        """
        try:
            if (
                time.monotonic() - self._checked_at > ALIVE_SECONDS
                or self.connection.has_pending_input()
            ):
                self.connection.check()
                self._checked_at = time.monotonic()
        except psycopg.Error:
            return False
        return True

    def prepared_cursor(self) -> Any:
        """A cursor whose statements the server plans once a connection, where it may prepare them.

        The server binds their parameters: what type each has must follow from where it stands.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        cursor: Any = base.ServerBindingCursor
        with self.wrap_database_errors:
            return self._prepare_cursor(cursor(self.connection))  # type: ignore[attr-defined]

    def _pooled(self, conn_params: dict[str, Any]) -> Any:
        """One of the pool's that is alive, or a new one.

        The pool's own check (CONN_HEALTH_CHECKS) pauses 1, 2, 4 s after each dead connection that
        it meets. But they die together, with the server or the line: at the first all go.
        """
        connection = super().get_new_connection(conn_params)
        try:
            connection.check()
        except psycopg.Error:
            self.pool.putconn(connection)
            self.pool.drain()
            connection = super().get_new_connection(conn_params)
        return connection
