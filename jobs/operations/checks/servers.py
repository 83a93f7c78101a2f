"""Do Redis, Postgres, the file store and the virus scanner suit? All are asked at the same time.

Runs where a database is named: `migrate`, `check --database default`, and the dispatcher at its
start. Never raises, and takes PATIENCE_SECONDS at most: a server that is away is a Warning.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection

from downloads_project import gunicorn as web
from jobs import scanner as clamd
from jobs import storage
from jobs.engine import queue
from jobs.web import rates

PATIENCE_SECONDS = 3.0
SKEW_REFUSED_SECONDS = 15 * 60  # S3 refuses a signature that is older or newer
SKEW_NOTED_SECONDS = 30
OLD_SIGNATURES = timedelta(days=7)  # new ones come each day

Findings = list[CheckMessage]


@register(Tags.database)
def servers_suit(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    if not databases:
        return []
    deadline = time.monotonic() + PATIENCE_SECONDS
    answers = {variable: _start(find) for variable, find in QUESTIONS.items()}
    return [one for variable in answers for one in _findings(variable, answers[variable], deadline)]


def _broker() -> Findings:
    found: Findings = []
    server = queue.server()
    if server.evicts:
        found.append(
            Warning(
                f"Redis throws messages away when its memory is full ({server.memory_policy}):"
                " jobs then start late.",
                hint="Set maxmemory-policy to noeviction in Redis.",
                id="jobs.W021",
            )
        )
    if settings.PRODUCTION and not server.keeps_a_log:
        found.append(
            Warning(
                "Redis forgets all messages when it restarts: jobs then start late.",
                hint="Set appendonly to yes in Redis.",
                id="jobs.W022",
            )
        )
    return found


def _counts() -> Findings:
    rates.ping()
    return []


def _database() -> Findings:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW max_connections")
            allowed = int(cursor.fetchone()[0])
    finally:
        connection.close()  # this thread's own
    needed = web.workers * settings.WEB_POOL_CONNECTIONS
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


def _store() -> Findings:
    # First the clock: while it is wrong, every other question is refused.
    skew = storage.clock_offset_seconds()
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
    return Warning(f"{sentence}: links end early or late.", hint=hint, id="jobs.W025")


def _scanner() -> Findings:
    if not clamd.is_on():
        return []
    made_at = clamd.signatures_made_at(settings.CLAMD)
    if not made_at or (age := datetime.now(UTC) - made_at) < OLD_SIGNATURES:
        return []
    return [
        Warning(
            f"The virus scanner's signatures are {age.days} days old: it misses newer viruses.",
            hint="Let freshclam run beside clamd.",
            id="jobs.W026",
        )
    ]


# By the variable that holds the server's address.
QUESTIONS = {
    "REDIS_URL": _broker,
    "CACHE_URL": _counts,
    "DATABASE_URL": _database,
    "S3_ENDPOINT_URL": _store,
    "CLAMD": _scanner,
}


def _start(find: Callable[[], Findings]) -> Future[Findings]:
    """In a thread of its own: a frozen server ignores every timeout we could set."""
    answer: Future[Findings] = Future()

    def run() -> None:
        try:
            answer.set_result(find())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def _findings(variable: str, answer: Future[Findings], deadline: float) -> Findings:
    try:
        return answer.result(max(deadline - time.monotonic(), 0))
    except TimeoutError:
        reason = f"no answer within {PATIENCE_SECONDS:.0f} s"
    except Exception as error:  # of any library: a check tells, and never stops what asked
        reason = (str(error).strip() or repr(error)).splitlines()[0]
    return [
        Warning(
            f"The server that {variable} names could not be asked whether it suits: {reason}",
            hint=f"Start it, or correct {variable}.",
            id="jobs.W020",
        )
    ]
