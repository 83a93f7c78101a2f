"""A replica of the database for polls: whether it is up to date enough to be read.

It is the database with the alias `replica`. A thread checks it every two seconds while there are
polls. What polls read from it is MAX_LAG_SECONDS old at most; while it is further behind or down,
they read the primary. Nothing is written through it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

log = structlog.get_logger(__name__)

ALIAS = "replica"
MAX_LAG_SECONDS = 5.0
CHECK_EVERY_SECONDS = 2.0
PAUSE_SECONDS = 5.0  # after a failed read
CATCH_UP_SECONDS = 1.0  # that a check waits for the replica
LOOK_SECONDS = 0.05  # between two looks of that wait
ReadLag = Callable[[], float]


class ReplicaUnavailable(Exception):
    """The replica does not respond, is too far behind, or is no replica."""


def is_replica_configured() -> bool:
    return ALIAS in settings.DATABASES


def read_replica_lag() -> float:
    """Return how many seconds the replica is behind. Raises ReplicaUnavailable.

    That is the time until it has replayed what the primary has written now. If this takes too long
    it is the age of the latest commit that it has, by the clock of the primary.
    """
    # Not one of a pool, which tries to connect to a server that is down for seconds, and logs that.
    connection = connections[ALIAS].copy()
    connection.settings_dict["OPTIONS"].pop("pool", None)
    try:
        began = time.monotonic()
        written, now = _written_position()
        while True:
            replayed_at = _replayed(connection, written)
            elapsed = time.monotonic() - began
            if replayed_at is None:
                return elapsed
            if elapsed > CATCH_UP_SECONDS:
                return elapsed + max((now - replayed_at).total_seconds(), 0.0)
            time.sleep(LOOK_SECONDS)
    except DatabaseError as error:
        raise ReplicaUnavailable(repr(error)) from error
    finally:
        connection.close()
        connections[DEFAULT_DB_ALIAS].close()  # this thread's


def _written_position() -> tuple[str, datetime]:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()::text, clock_timestamp()")
        position, now = cursor.fetchone()
    return position, now


def _replayed(connection: BaseDatabaseWrapper, position: str) -> datetime | None:
    """Return None if the replica has replayed the position, else the time of its latest commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= %s::pg_lsn,"
            " coalesce(pg_last_xact_replay_timestamp(), 'epoch')",
            [position],
        )
        is_replica, has_replayed, replayed_at = cursor.fetchone()
    if not is_replica:
        raise ReplicaUnavailable("the server is no replica")
    return None if has_replayed else replayed_at


class Replica:
    """What this process knows about the replica."""

    def __init__(self, read_lag: ReadLag = read_replica_lag) -> None:
        self._read_lag = read_lag
        self._lock = threading.Lock()
        self._check_at = self._usable_until = self._paused_until = 0.0
        self._is_checking = False
        self._is_reported = False  # that it is not used
        self.lag_seconds = 0.0  # at the last check

    def is_usable(self) -> bool:
        """Return True if it may be read. Never waits: a check that is due runs in a thread."""
        now = time.monotonic()
        if now >= self._check_at and not self._is_checking:
            self._start_check()
        return self._paused_until <= now < self._usable_until

    def record_failure(self, error: Exception) -> None:
        """Do not use it for PAUSE_SECONDS. Logged once until it is used again."""
        self._paused_until = time.monotonic() + PAUSE_SECONDS
        self._report(error)

    def check(self) -> None:
        """Read how far it is behind. Raises ReplicaUnavailable; then it is not used."""
        try:
            lag = self._read_lag()
            if lag > MAX_LAG_SECONDS:
                raise ReplicaUnavailable(f"it is more than {MAX_LAG_SECONDS:.0f} s behind")
        except ReplicaUnavailable as error:
            self._usable_until = 0.0
            self._report(error)
            raise
        now, self.lag_seconds = time.monotonic(), lag
        self._usable_until = now + MAX_LAG_SECONDS - lag
        if self._is_reported and now >= self._paused_until:
            self._is_reported = False
            log.info("the replica is used again")

    def _start_check(self) -> None:
        with self._lock:
            if self._is_checking:
                return
            self._is_checking = True
        threading.Thread(target=self._run_check, name="replica", daemon=True).start()

    def _run_check(self) -> None:
        try:
            self.check()
        except ReplicaUnavailable:
            pass  # reported
        finally:
            self._check_at = time.monotonic() + CHECK_EVERY_SECONDS
            self._is_checking = False

    def _report(self, error: Exception) -> None:
        if not self._is_reported:
            self._is_reported = True
            log.warning("the replica is not used", error=repr(error))


REPLICA = Replica()
