"""Queries that Django compiles to SQL once and runs with new values each time.

For a statement of twenty columns, compiling takes longer than the round trip. Where connections
may prepare statements (default_settings), Postgres does not plan it each time either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection, models, transaction
from django.db.models.expressions import Expression

M = TypeVar("M", bound=models.Model)


class QuerySlot(Expression):
    """A placeholder for a value. Its default name is the field's."""

    def __init__(self, field: Any, name: str = "") -> None:
        super().__init__(output_field=field)
        self.name = name or field.name

    def as_sql(self, *_: Any, **__: Any) -> tuple[str, Any]:
        return "%s", (self,)

    def fill(self, values: Mapping[str, Any]) -> Any:
        field, value = self.output_field, values[self.name]
        if isinstance(value, models.Model):
            value = value.prepare_database_save(field)
        return field.get_db_prep_save(value, connection)


def execute_compiled_query(
    sql: str, params: Sequence[Any], values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run the statement with the values in its slots. Return the rows."""
    filled = [p.fill(values) if isinstance(p, QuerySlot) else p for p in params]
    atomic = transaction.mark_for_rollback_on_error(using=connection.alias)
    # Django's own backend has none.
    cursor_of = getattr(connection, "prepared_cursor", connection.cursor)
    with atomic, cursor_of() as cursor:
        cursor.execute(sql, filled)
        return list(cursor.fetchall())


class CompiledQuery(Generic[M]):
    """A queryset with slots that selects whole rows of one model."""

    def __init__(self, queryset: models.QuerySet[M]) -> None:
        self._sql, self._params = queryset.query.sql_with_params()
        self._row = CompiledRowLoader(queryset.model)

    def rows(self, **values: Any) -> list[M]:
        return [
            self._row.instance(row)
            for row in execute_compiled_query(self._sql, self._params, values)
        ]


class AnyRowsQuery:
    """Several EXISTS queries in one round trip.

    Values are part of the statement, not parameters: otherwise a generic plan cannot use partial
    indexes, and an EXISTS that finds nothing scans the whole table.
    """

    def __init__(self, *querysets: models.QuerySet[Any]) -> None:
        self._queries = [
            found.order_by().values("pk")[:1].query.sql_with_params() for found in querysets
        ]

    def exist(self) -> tuple[bool, ...]:
        """Return for each queryset whether it has rows."""
        return execute_compiled_query(self._sql, [], {})[0]

    @cached_property
    def _sql(self) -> str:
        sql = "SELECT " + ", ".join(f"EXISTS ({text})" for text, _ in self._queries)
        params = [param for _, params in self._queries for param in params]
        with connection.cursor() as cursor:
            statement: str = cursor.mogrify(sql, params)
        return statement.replace("%", "%%")


class CompiledRowLoader(Generic[M]):
    """Converts rows with all columns of a model, in order, to model instances."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self.fields = model._meta.concrete_fields
        self._converters = [
            (position, convert, field.get_col(model._meta.db_table))
            for position, field in enumerate(self.fields)
            for convert in field.get_db_converters(connection)
        ]

    @property
    def columns(self) -> str:
        return ", ".join(connection.ops.quote_name(str(field.column)) for field in self.fields)

    def load(self, into: models.Model, row: Sequence[Any]) -> None:
        """Refresh an instance from the row, keeping related objects that are still the same."""
        for name, value in self._named(row):
            setattr(into, name, value)
        into._state.adding, into._state.db = False, connection.alias
        into._prefetched_objects_cache = {}  # type: ignore[attr-defined]

    def instance(self, row: Sequence[Any]) -> M:
        names, values = zip(*self._named(row), strict=True)
        return self._model.from_db(connection.alias, names, values)

    def _named(self, row: Sequence[Any]) -> Iterator[tuple[str, Any]]:
        values = list(row)
        for position, convert, column in self._converters:
            values[position] = convert(values[position], column, connection)
        return zip((field.attname for field in self.fields), values, strict=True)
