"""Waiting without keeping what others need."""

from __future__ import annotations

from django.db import connection


def give_back_connection() -> None:
    """Return this thread's database connection to the pool, before a wait for somebody slow.

    The next query takes another. Inside a transaction nothing happens.
    """
    if not connection.in_atomic_block:
        connection.close()
