"""Django's Postgres backend with connections that do not wait for ever.

With a pool (settings.py) the pool is told the class; here is how it is done without one.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from downloads_project.postgres.connection import ImpatientConnection


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.settings_dict["OPTIONS"].get("pool"):
            return super().get_new_connection(conn_params)
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # as the method above does
        return ImpatientConnection.connect(**conn_params)
