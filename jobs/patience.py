"""Waiting without keeping what others need, and what is worth waiting for."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError, connection

# What Django raises when the database is away, starting, full, locked or read-only for a while.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)


def give_back_connection() -> None:
    """Return this thread's database connection to the pool, before a wait for somebody slow.

    The next query takes another. Inside a transaction nothing happens.
    """
    if not connection.in_atomic_block:
        connection.close()
