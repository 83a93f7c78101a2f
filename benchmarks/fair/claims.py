"""Claims at once among a million ready jobs of a thousand owners."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from django.conf import settings
from django.db import connection

from benchmarks.bench.figures import Result, percentile
from jobs.engine import claims
from jobs.errors import NothingReady
from jobs.models import DownloadJob
from jobs.models.transition import Search

FIRST_OWNER = 100_000
WALL, DATABASE = "response time of a claim", "processor time of Postgres for a claim"
AT_ONCE = "at once"
EMPTY = "claims without a job"
OWNERS = """
INSERT INTO auth_user (id, username, password, first_name, last_name, email, is_superuser, is_staff,
    is_active, date_joined)
SELECT %(first)s + n, 'waiting-' || n, '!', '', '', '', false, false, true, now()
FROM generate_series(0, %(owners)s - 1) n
"""
LANES = """
INSERT INTO jobs_lane (owner_id, kind, params_version, priority, concurrency_key)
SELECT %(first)s + n, 'bundle', 1, 4, '' FROM generate_series(0, %(owners)s - 1) n
"""
JOBS = """
INSERT INTO jobs_downloadjob (id, owner_id, kind, name, params, priority, status, attempt, failures,
    losses, created_at, updated_at, available_at, published_at, lane_id, task_id, worker, version,
    progress, done, total, unit, speed, threads, message, error_code, error, request_id,
    idempotency_key, request_hash)
SELECT gen_random_uuid(), lane.owner_id, 'bundle', 'some.zip', '{"file_ids": [70000]}', 4, 'queued',
    0, 0, 0, now(), now(), now(), now(), lane.id, '', '', 1, 0, 0, 1000000, 'bytes', 0, 0, '', '',
    '', '', '', ''
FROM generate_series(1, %(jobs)s) n
JOIN jobs_lane lane ON lane.owner_id = %(first)s + n %% %(owners)s
"""


@dataclass
class Claim:
    """The durations of one claim, in milliseconds; whether it found a job."""

    wall_ms: float
    database_ms: float
    is_empty: bool


def claims_at_once(jobs: int, owners: int, racers: int, each: int) -> Result:
    """What does a claim cost among a million ready jobs, while 50 workers claim at once?"""
    seed(jobs, owners)
    search = claims.search_of(settings.QUEUE)
    with ThreadPoolExecutor(racers) as pool:
        done = list(pool.map(lambda _: _claim_often(search, each), range(racers)))
    found = [claim for of_one in done for claim in of_one]
    alone = _claim_often(search, each)
    result = Result()
    for name, claimed in {AT_ONCE: found, "alone": alone}.items():
        for metric, field in ((WALL, "wall_ms"), (DATABASE, "database_ms")):
            values = [getattr(claim, field) for claim in claimed]
            result.add(f"{metric}, {name}, p50", "ms", median(values))
            result.add(f"{metric}, {name}, p95", "ms", percentile(values, 0.95))
    result.add(EMPTY, "", sum(claim.is_empty for claim in found + alone))
    result.notes.append(
        f"{len(found):,} claims by {racers} threads at once, {jobs:,} jobs of {owners:,} owners"
    )
    _delete_seeded()
    return result


def seed(jobs: int, owners: int) -> None:
    """Add ready jobs, and as many owners."""
    values = {"first": FIRST_OWNER, "owners": owners, "jobs": jobs}
    with connection.cursor() as cursor:
        for statement in (OWNERS, LANES, JOBS):
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")


def _delete_seeded() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE jobs_downloadjob, jobs_lane, jobs_queueshare CASCADE")


def _claim_often(search: Search, times: int) -> list[Claim]:
    """Claim on a connection of its own, as a pool process does."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone() or (0,)
        _claim(search, pid)  # prepares the functions
        return [_claim(search, pid) for _ in range(times)]
    finally:
        connection.close()


def _claim(search: Search, pid: int) -> Claim:
    before, began, is_empty = _processor_ms(pid), time.perf_counter(), False
    try:
        job = DownloadJob.claim_next(search, task_id="task", worker="worker")
    except NothingReady:
        is_empty = True
    wall_ms = (time.perf_counter() - began) * 1000
    claim = Claim(wall_ms, _processor_ms(pid) - before, is_empty)
    if not is_empty:
        job.fail("internal", "It ends, as the next one of this worker begins.")  # not measured
    return claim


def _processor_ms(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6
