"""Finished jobs for load tests: rows like those of a year, without objects in the bucket.

Written by Postgres itself, a batch a transaction. Only `manage.py seed_load` uses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connection, transaction

from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS
from jobs.lib.accounts import username_field
from jobs.web.serializers import request_of

BATCH = 100_000  # jobs in one transaction
TABLES = "jobs_downloadjob, jobs_jobevent, jobs_storedfile, jobs_notification, jobs_usage"
# Foreign keys are right by construction, and the sums are added up below.
UNCHECKED = "SET LOCAL session_replication_role = replica"

# 6 % failed, 3 % were cancelled; of the others, those younger than results are kept have a file.
# A few owners have most jobs.
CHOOSE = """
CREATE TEMPORARY TABLE load_job ON COMMIT DROP AS
SELECT job.*, CASE WHEN status = 'completed'
    THEN nextval(pg_get_serial_sequence('jobs_storedfile', 'id')) END AS file
FROM (
    SELECT n, gen_random_uuid() AS id, kind.name AS kind, kind.folder, kind.params, kind.file_name,
        (%(owners)s::int[])[1 + floor(%(owner_count)s * power(random(), 3))::int] AS owner,
        (1000 + 50000000 * power(random(), 4))::bigint AS size,
        at, at + interval '1 s' AS started, at + interval '20 s' AS finished,
        at + interval '20 s' + %(kept)s * interval '1 s' AS expires,
        CASE WHEN n / %(kind_count)s %% 100 < 6 THEN 'failed'
            WHEN n / %(kind_count)s %% 100 < 9 THEN 'cancelled'
            WHEN at > now() - %(kept)s * interval '1 s' THEN 'completed' ELSE 'expired'
            END AS status
    FROM generate_series(%(since)s::int, %(until)s) n
    JOIN json_to_recordset(%(kinds)s)
        AS kind (number int, name text, folder text, params jsonb, file_name text)
        ON kind.number = n %% %(kind_count)s,
    LATERAL (
        SELECT now() - interval '30 s'
            - %(days)s * interval '1 day' * (%(jobs)s - 1 - n) / %(jobs)s AS at
    ) created
) job
"""
JOBS = """
INSERT INTO jobs_downloadjob (
    id, owner_id, kind, name, params, priority, request_id, idempotency_key, request_hash, status,
    attempt, failures, losses, available_at, published_at, task_id, worker, version, progress, done,
    total, unit, speed, threads, message, artifact_id, error_code, error, created_at, started_at,
    updated_at, finished_at, expires_at
)
SELECT id, owner, kind, file_name, params, 4, gen_random_uuid()::text, '', '', status,
    CASE status WHEN 'failed' THEN 4 ELSE 1 END, CASE status WHEN 'failed' THEN 4 ELSE 0 END, 0,
    at, at, gen_random_uuid()::text, 'celery@load', 3, (file IS NOT NULL)::int, size,
    size, 'bytes', 0, 0, initcap(status), file,
    CASE status WHEN 'failed' THEN 'unexpected' ELSE '' END,
    CASE status WHEN 'failed' THEN 'Something unexpected went wrong.' ELSE '' END, at, started,
    finished, finished, CASE WHEN status IN ('completed', 'expired') THEN expires END
FROM load_job
"""
FILES = """
INSERT INTO jobs_storedfile (
    id, owner_id, key, name, content_type, size_bytes, sha256, crc32, made_by_id, role, created_at,
    expires_at
)
SELECT file, owner, folder || '/' || id || '/1/' || file_name, file_name,
    'application/octet-stream', size, encode(sha256(id::text::bytea), 'hex'), n, id, 'artifact',
    finished, expires
FROM load_job WHERE file IS NOT NULL
"""
# Failed jobs have a traceback of about 2 kB for each attempt.
EVENTS = """
INSERT INTO jobs_jobevent (job_id, at, event, by, attempt, code, detail)
SELECT id, line.at, event, by, attempt, code, detail FROM load_job,
LATERAL (
    SELECT load_job.at, 'submit', 'owner', 0, '', ''
    UNION ALL SELECT started, 'claim', 'worker', attempt, '', 'celery@load'
        FROM generate_series(1, CASE status WHEN 'failed' THEN 4 ELSE 1 END) attempt
    UNION ALL SELECT finished, CASE WHEN attempt < 4 THEN 'retry' ELSE 'fail' END, 'worker',
        attempt, 'unexpected', repeat(id || ' in build, of the attempt ' || attempt || E'\\n', 30)
        FROM generate_series(1, 4) attempt WHERE status = 'failed'
    UNION ALL SELECT finished, 'cancel', 'owner', 1, '', '' WHERE status = 'cancelled'
    UNION ALL SELECT finished, 'succeed', 'worker', 1, '', ''
        WHERE status IN ('completed', 'expired')
    UNION ALL SELECT expires, 'expire', 'dispatcher', 1, '', '' WHERE status = 'expired'
) line (at, event, by, attempt, code, detail)
"""
# Every twentieth job was mailed about.
NOTIFICATIONS = """
INSERT INTO jobs_notification (
    id, owner_id, job_id, channel, "to", content, state, tries, due_at, error, created_at, sent_at
)
SELECT gen_random_uuid(), owner, id, 'email', 'load@localhost',
    jsonb_build_object('jobId', id, 'kind', kind, 'status', status, 'fileName', file_name),
    'sent', 1, finished, '', finished, finished
FROM load_job WHERE n / %(kind_count)s %% 20 = 19
"""
USAGE = """
INSERT INTO jobs_usage (owner_id, stored_bytes)
SELECT owner_id, sum(size_bytes) FROM jobs_storedfile
WHERE owner_id = ANY (%(owners)s) GROUP BY owner_id
ON CONFLICT (owner_id) DO UPDATE SET stored_bytes = excluded.stored_bytes
"""


@dataclass(frozen=True)
class Load:
    """How many jobs to write, over how many owners and past days."""

    jobs: int
    owners: int
    days: int


def insert_load(load: Load) -> Iterator[int]:
    """Insert the rows, and yield after each batch how many jobs there are."""
    params = _params(load)
    for since in range(0, load.jobs, BATCH):
        until = min(since + BATCH, load.jobs)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if cursor.fetchone() == (True,):
                cursor.execute(UNCHECKED)  # otherwise it takes longer
            cursor.execute(CHOOSE, params | {"since": since, "until": until - 1})
            for statement in (JOBS, FILES, EVENTS, NOTIFICATIONS, USAGE):
                cursor.execute(statement, params)
        yield until
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {TABLES}")


def _params(load: Load) -> dict[str, Any]:
    owners = _owners(load.owners)
    kinds = [_kind_row(kind, owners[0]) | {"number": n} for n, kind in enumerate(KINDS.values())]
    return {
        "jobs": load.jobs,
        "days": load.days,
        "owners": [owner.pk for owner in owners],
        "owner_count": load.owners,
        "kinds": json.dumps(kinds),
        "kind_count": len(kinds),
        "kept": settings.RESULT_KEPT_SECONDS,
    }


def _kind_row(kind: Kind, owner: User) -> dict[str, object]:
    """Return what the rows of a kind have in common: what its example requests."""
    request = request_of(type(kind))(data=kind.example, context={"owner": owner})
    params = request.params() if kind.accepts_json and request.is_valid() else kind.example
    name = kind.artifact_name("", params)
    return {"name": kind.name, "folder": kind.folder, "params": params, "file_name": name}


def _owners(count: int) -> list[User]:
    """Return the users load-1, load-2 and so on, who cannot sign in."""
    names = [f"load-{number}" for number in range(1, count + 1)]
    password = make_password(None)
    model, name_field = get_user_model(), username_field()
    users = [model(**{name_field: name, "password": password}) for name in names]
    model._default_manager.bulk_create(users, ignore_conflicts=True)
    return list(model._default_manager.filter(**{f"{name_field}__in": names}))
