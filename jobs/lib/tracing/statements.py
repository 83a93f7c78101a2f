"""A span for each statement that Django's connections run: one of its execute wrappers.

psycopg's own instrumentation does not see statements of prepared cursors and pipelines, which are
the most frequent ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.db.backends.signals import connection_created

from jobs.lib.tracing.spans import Attributes, call_span

MAX_TEXT = 2_000  # characters of a statement
# Of a statement that begins with WITH, its first verb: it updates a job, then inserts the event.
VERB = re.compile(r"\s*(?:WITH\b.*?\b(?=SELECT|INSERT|UPDATE|DELETE))?(\w+)", re.I | re.S)
# Not a function, as in FROM unnest(...).
TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?(?!(?:SET|SKIP|NOWAIT|OF)\b)(\w+)\b(?!\()', re.I)


def trace_statements() -> None:
    """Trace the statements of all connections that are opened from now on."""
    connection_created.connect(_trace_connection, dispatch_uid="jobs.tracing")


def _trace_connection(connection: Any, **_: Any) -> None:
    if trace_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(trace_statement)


def trace_statement(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
) -> Any:
    attributes = statement_attributes(str(sql), context["connection"], with_text=bool(params))
    with call_span(str(attributes["db.query.summary"]), attributes):
        return execute(sql, params, many, context)


def statement_attributes(sql: str, connection: Any, *, with_text: bool) -> Attributes:
    """Return the attributes of a statement.

    Its text only `with_text`, if its values are parameters: otherwise they are in the text.
    """
    verb, table = VERB.match(sql), TABLE.search(sql)
    operation = verb[1].upper() if verb else "SQL"
    named = {"db.collection.name": table[1]} if table else {}
    text = {"db.query.text": sql[:MAX_TEXT]} if with_text else {}
    return {
        **{"db.system.name": "postgresql", "db.operation.name": operation, **named, **text},
        "db.query.summary": f"{operation} {table[1]}" if table else operation,
        "db.namespace": connection.settings_dict["NAME"],
        "server.address": connection.settings_dict["HOST"] or "localhost",
    }
