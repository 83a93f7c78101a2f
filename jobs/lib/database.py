"""Waiting without keeping what others need, and what is worth waiting for."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import (
    InterfaceError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
)

log = structlog.get_logger(__name__)

RETRY_EVERY_SECONDS = 0.5  # between two tries to record something

# What Django raises when the database is away, starting, full, locked or read-only for a while.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)


def release_connection() -> None:
    """Return this thread's database connection to the pool, before a wait for somebody slow.

    The next query takes another. Inside a transaction nothing happens.
    """
    if not connection.in_atomic_block:
        connection.close()


def retry_while_unavailable(move: Callable[[], None]) -> None:
    """Make the move through a database that goes away and comes back within a lease.

    Should its first commit have got through, and only the answer be lost, the second raises
    StaleJob: an outcome is recorded once.
    """
    ends = time.monotonic() + settings.LEASE_SECONDS
    while True:
        close_old_connections()
        try:
            return move()
        except DATABASE_AWAY as error:
            if time.monotonic() > ends:
                raise  # lease and dispatcher see to the rest
            log.warning("cannot be recorded yet", error=repr(error))
            connection.close()  # the next one may lead to another server: one that takes writes
            time.sleep(RETRY_EVERY_SECONDS)
