"""Several statements in one round trip, on Django's connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import psycopg
from django.db import connection

Query = tuple[str, Sequence[str | None]]  # with $1 ... for its values, in Postgres' text format


def run_pipeline(*queries: Query) -> list[Any]:
    """Run the queries in order. Return the first row of the last one.

    Outside a transaction they are one of their own, which is durable on return: a pipeline up to
    its Sync is one transaction, in which each query has a snapshot of its own. Each is prepared at
    its first use on a connection (see `prepare_threshold` in default_settings). Execute wrappers of
    the connection are called once, as for one statement.
    """
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    wrappers = connection.execute_wrappers
    return _run_wrapped(queries, wrappers) if wrappers else _run(queries)


def _run_wrapped(queries: Sequence[Query], wrappers: Sequence[Any]) -> list[Any]:
    def execute(*_: object) -> list[Any]:
        return _run(queries)

    run: Callable[..., list[Any]] = execute
    for wrapper in reversed(wrappers):
        run = partial(wrapper, run)
    texts, values = zip(*queries, strict=True)
    return run("; ".join(texts), values, False, {"connection": connection})


def _run(queries: Sequence[Query]) -> list[Any]:
    with connection.wrap_database_errors, connection.connection.pipeline():
        for text, values in queries:
            cursor = psycopg.RawCursor(connection.connection)
            cursor.execute(text.encode(), values, prepare=True)
    return list(cursor.fetchone() or ())
