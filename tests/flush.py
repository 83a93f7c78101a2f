"""Empty the database between tests that commit."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection

CREATED_BY_MIGRATE = {ContentType._meta.db_table, Permission._meta.db_table}
FEW_ROWS = 200  # up to this number, DELETE is faster than TRUNCATE


def flush(*_: Any) -> None:
    """Empty the tables that have rows. Django's own flush truncates all, which is slow.

    Keeps the rows that `migrate` creates.
    """
    with connection.cursor() as cursor:
        cursor.execute(_statement())


@cache
def _statement() -> str:
    models = apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models if model._meta.managed}
    each = "\n".join(_emptied(table) for table in sorted(tables - CREATED_BY_MIGRATE))
    # As a replica, Postgres does not check foreign keys, so that the order does not matter.
    return f"""
        DO $$ BEGIN
            SET LOCAL session_replication_role = replica;
            {each}
        END $$
    """


def _emptied(table: str) -> str:
    return f"""
        IF EXISTS (SELECT FROM {table} OFFSET {FEW_ROWS}) THEN TRUNCATE {table} CASCADE;
        ELSIF EXISTS (SELECT FROM {table}) THEN DELETE FROM {table};
        END IF;
    """
