"""Read what the order of the queue depends on, in one statement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from django.db import connection

from jobs.engine.queue_order import EXACT, SAMPLED
from jobs.models.service_process import NOT_RESPONDING_AFTER

MAX_LANES = 2_000  # of the highest priorities
MAX_ROWS = 10_000  # of all lanes together: as many of each
MAX_OF_OTHERS = 5_000  # owners, running jobs and limits

# The columns of the lists are the fields of the named tuples below.
READ = """
WITH kept AS MATERIALIZED (
    SELECT id, owner_id, kind, priority, concurrency_key FROM jobs_lane
    ORDER BY priority DESC, id LIMIT %(most_lanes)s
), cap AS MATERIALIZED (
    SELECT greatest(%(most_rows)s / greatest(count(*), 1), 5) AS jobs FROM kept
)
SELECT json_build_object(
    'lanes', (
        SELECT json_agg(json_build_array(
            kept.id, kept.owner_id, kept.kind, kept.priority, kept.concurrency_key,
            coalesce(preferences.weight, 1), head.ready, head.ready = cap.jobs, head.times,
            head.totals
        ))
        FROM kept CROSS JOIN cap
        LEFT JOIN jobs_preferences AS preferences
            ON preferences.owner_id = kept.owner_id AND preferences.weight <> 1
        CROSS JOIN LATERAL (
            SELECT count(*) AS ready,
                array_agg(extract(epoch FROM job.available_at) ORDER BY job.available_at)
                    FILTER (WHERE job.place = ANY (%(places)s::bigint[])) AS times,
                array_agg(coalesce(job.total, 0) ORDER BY job.available_at)
                    FILTER (WHERE job.place <= %(exact)s) AS totals
            FROM (
                SELECT available_at, total, row_number() OVER (ORDER BY available_at) AS place
                FROM jobs_downloadjob
                WHERE lane_id = kept.id AND status = 'queued'
                ORDER BY available_at LIMIT (SELECT jobs FROM cap)
            ) AS job
        ) AS head
        WHERE head.ready > 0
    ),
    'shares', (
        SELECT json_agg(json_build_array(queue, owner_id, used, started)) FROM (
            SELECT queue, owner_id, used, started FROM jobs_queueshare
            ORDER BY started DESC LIMIT %(most)s
        ) AS share
    ),
    'running', (
        SELECT json_agg(json_build_array(
            queue, owner_id, virtual_start,
            greatest(estimated_seconds, seconds),
            CASE WHEN speed > 0 AND total > done THEN (total - done) / speed::float8
                ELSE greatest(estimated_seconds - seconds, 0) END
        ))
        FROM (
            SELECT *, extract(epoch FROM statement_timestamp() - started_at)::float8 AS seconds
            FROM jobs_downloadjob WHERE status = 'processing' LIMIT %(most)s
        ) AS job
    ),
    'limits', (
        SELECT json_agg(json_build_array(scope, name, owner_id, max_running, is_paused, reason))
        FROM (SELECT * FROM jobs_queuelimit LIMIT %(most)s) AS queue_limit
    ),
    'blocked', (
        SELECT json_build_array(everything, blocked_kinds, blocked_owners, blocked_keys)
        FROM jobs_blocked_1(%(kinds)s::text[], %(kind_limits)s::integer[])
    ),
    'workers', (
        SELECT json_agg(json_build_array(queues, slots)) FROM jobs_serviceprocess
        WHERE role = 'worker'
            AND seen_at >= statement_timestamp() - make_interval(secs => %(silence)s)
    )
)::text
"""


class LaneRow(NamedTuple):
    id: int
    owner_id: int
    kind: str
    priority: int
    concurrency_key: str
    weight: float
    ready: int
    is_capped: bool
    times: Sequence[float]
    totals: Sequence[int]


class ShareRow(NamedTuple):
    queue: str
    owner_id: int
    used: float
    started: float


class RunningRow(NamedTuple):
    queue: str
    owner_id: int
    virtual_start: float | None
    seconds: float  # what it is charged: its estimate, or its running time once that is longer
    remaining: float | None


class LimitRow(NamedTuple):
    scope: str
    name: str
    owner_id: int | None
    max_running: int | None
    is_paused: bool
    reason: str


class BlockedRow(NamedTuple):
    """What may not start now, because it is paused or as many run as may."""

    everything: bool
    kinds: Sequence[str]
    owners: Sequence[int]
    keys: Sequence[str]


class WorkerRow(NamedTuple):
    queues: Sequence[str]
    slots: int


class QueueRows(NamedTuple):
    lanes: list[LaneRow] = []
    shares: list[ShareRow] = []
    running: list[RunningRow] = []
    limits: list[LimitRow] = []
    workers: list[WorkerRow] = []
    blocked: BlockedRow = BlockedRow(False, (), (), ())


_TYPES: dict[str, Any] = {
    "lanes": LaneRow, "shares": ShareRow, "running": RunningRow, "limits": LimitRow,
    "workers": WorkerRow,
}  # fmt: skip


def read_queue_rows(kind_limits: Mapping[str, int | None]) -> QueueRows:
    """Read the lanes of all queues, and what they wait for. `kind_limits` are those of classes."""
    params: dict[str, Any] = {
        "kinds": list(kind_limits),
        "kind_limits": list(kind_limits.values()),
        "most_lanes": MAX_LANES,
        "most_rows": MAX_ROWS,
        "most": MAX_OF_OTHERS,
        "exact": EXACT,
        "places": [place + 1 for place in SAMPLED],
        "silence": NOT_RESPONDING_AFTER.total_seconds(),
    }
    with connection.cursor() as cursor:
        cursor.execute(READ, params)
        found = json.loads(cast(tuple[str], cursor.fetchone())[0])
    rows = {name: [row(*values) for values in found[name] or []] for name, row in _TYPES.items()}
    return QueueRows(**rows, blocked=BlockedRow(*found["blocked"]))
