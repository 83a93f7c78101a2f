"""Check Redis, Postgres, the file store and the virus scanner, all at the same time.

Runs for commands that name a database: `migrate`, `check --database default`, and when the
dispatcher starts. Takes at most TIMEOUT_SECONDS. A server that does not answer is a Warning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from queue import Empty
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection

from jobs import storage
from jobs.engine import broker
from jobs.lib import scanner as clamd
from jobs.lib.background_call import BackgroundCall
from jobs.lib.replica import is_replica_configured, read_replica_lag
from jobs.web import rate_counting

TIMEOUT_SECONDS = 3.0
SKEW_REFUSED_SECONDS = 15 * 60  # S3 refuses a signature that is older or newer
SKEW_NOTED_SECONDS = 30
OLD_SIGNATURES = timedelta(days=7)  # new ones are published daily

Findings = list[CheckMessage]


@register(Tags.database)
def check_servers(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    if not databases:
        return []
    deadline = time.monotonic() + TIMEOUT_SECONDS
    # In threads: a frozen server ignores every timeout that we could set.
    calls = {variable: BackgroundCall(check, name=variable) for variable, check in CHECKS.items()}
    return [one for variable in calls for one in _findings(variable, calls[variable], deadline)]


def _broker() -> Findings:
    found: Findings = []
    server = broker.broker_info()
    if server.evicts:
        found.append(
            Warning(
                f"Redis evicts messages when its memory is full ({server.memory_policy}):"
                " jobs then start late.",
                hint="Set maxmemory-policy to noeviction in Redis.",
                id="jobs.W021",
            )
        )
    if settings.PRODUCTION and not server.keeps_a_log:
        found.append(
            Warning(
                "Redis loses all messages when it restarts: jobs then start late.",
                hint="Set appendonly to yes in Redis.",
                id="jobs.W022",
            )
        )
    return found


def _counts() -> Findings:
    rate_counting.ping_rate_counting()
    return []


def _database() -> Findings:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW max_connections")
            allowed = int(cursor.fetchone()[0])
    finally:
        connection.close()  # this thread's own
    needed = settings.WEB_PROCESSES * settings.WEB_POOL_CONNECTIONS
    if needed <= allowed:
        return []
    return [
        Warning(
            f"Postgres allows {allowed} connections, and one host's web processes open up to"
            f" {needed}: requests fail when it is busy.",
            hint=f"Raise max_connections in Postgres above {needed}, or lower WEB_PROCESSES.",
            id="jobs.W023",
        )
    ]


def _replica() -> Findings:
    if is_replica_configured():
        read_replica_lag()
    return []


def _store() -> Findings:
    # First the clock: while it is wrong, the store refuses every request.
    skew = storage.bucket_clock_offset()
    if abs(skew) > SKEW_NOTED_SECONDS:
        return [_clocks_differ(skew)]
    if storage.has_bucket():
        return []
    return [
        Warning(
            f"The file store has no bucket {storage.bucket().bucket_name}.",
            hint="Run `manage.py make_bucket`, or set S3_BUCKET.",
            id="jobs.W024",
        )
    ]


def _clocks_differ(skew: float) -> CheckMessage:
    behind = "behind" if skew > 0 else "ahead of"
    sentence = f"This machine's clock is {abs(skew):.0f} s {behind} the file store's"
    hint = "Set both clocks by NTP."
    if abs(skew) > SKEW_REFUSED_SECONDS:
        return Error(f"{sentence}, which refuses all requests.", hint=hint, id="jobs.E009")
    return Warning(f"{sentence}: links expire too early or too late.", hint=hint, id="jobs.W025")


def _scanner() -> Findings:
    if not clamd.is_scanner_on():
        return []
    made_at = clamd.scanner_signatures_date(settings.CLAMD)
    if not made_at or (age := datetime.now(UTC) - made_at) < OLD_SIGNATURES:
        return []
    return [
        Warning(
            f"The virus scanner's signatures are {age.days} days old: it misses newer viruses.",
            hint="Run freshclam next to clamd.",
            id="jobs.W026",
        )
    ]


# By the variable that has the server's address.
CHECKS: dict[str, Callable[[], Findings]] = {
    "REDIS_URL": _broker,
    "CACHE_URL": _counts,
    "DATABASE_URL": _database,
    "DATABASE_REPLICA_URL": _replica,
    "S3_ENDPOINT_URL": _store,
    "CLAMD": _scanner,
}


def _findings(variable: str, call: BackgroundCall[Findings], deadline: float) -> Findings:
    try:
        return call.result(timeout_seconds=max(deadline - time.monotonic(), 0))
    except (Empty, TimeoutError):
        reason = f"no response within {TIMEOUT_SECONDS:.0f} s"
    except Exception as error:  # from any library: a check must not stop the command
        reason = (str(error).strip() or repr(error)).splitlines()[0]
    return [
        Warning(
            f"The server that {variable} names could not be checked: {reason}",
            hint=f"Start it, or correct {variable}.",
            id="jobs.W020",
        )
    ]
