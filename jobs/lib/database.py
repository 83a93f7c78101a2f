"""Release the database connection during a wait; retry while the database is unavailable."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

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

RETRY_EVERY_SECONDS = 0.5  # between two tries

# What Django raises while the database is unreachable, starting, full, locked or read-only.
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError, InternalError)


def release_database_connection() -> None:
    """Return this thread's connection to the pool, before waiting for a slow client or server.

    The next query opens another. Does nothing inside a transaction.
    """
    if not connection.in_atomic_block:
        connection.close()


def retry_database_write(write: Callable[[], None]) -> None:
    """Call `write`, and again while the database is unavailable, for up to LEASE_SECONDS.

    If the first try was committed and only the response was lost, the second raises StaleJob: an
    outcome is recorded once.
    """
    ends = time.monotonic() + settings.LEASE_SECONDS
    while True:
        close_old_connections()
        try:
            return write()
        except DATABASE_UNAVAILABLE as error:
            if time.monotonic() > ends:
                raise  # the lease expires, and the dispatcher requeues the job
            log.warning("cannot be recorded yet", error=repr(error))
            connection.close()  # the next one may lead to another server: one that takes writes
            time.sleep(RETRY_EVERY_SECONDS)


def database_time() -> datetime:
    """Return the time of the database, whose clock the rows have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    return cast(datetime, now)


def try_transaction_lock(key: tuple[int, int]) -> tuple[datetime, bool]:
    """Take the advisory lock until the transaction ends. Return its time, and False if it is taken.

    The first number of the key says what the lock is for: owners have 1, mails to operators about
    failed jobs 2, alerts 3.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), pg_try_advisory_xact_lock(%s, %s)", key)
        now, is_locked = cursor.fetchone()
    return now, is_locked
