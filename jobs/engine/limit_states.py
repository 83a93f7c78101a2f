"""What each limit and pause holds back now: running and waiting jobs, counted in one query."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from jobs.kinds.registry import KINDS
from jobs.models import QueueLimit

# Running jobs are grouped by what one limit counts: a row for each owner counts those of one owner.
COUNTS = """
WITH limits AS MATERIALIZED (
    SELECT id, scope, name, owner_id, max_running FROM jobs_queuelimit
    UNION ALL
    SELECT NULL, 'kind', own.name, NULL, own.most FROM unnest(%s::text[], %s::integer[]) AS own (name, most)
), active AS MATERIALIZED (
    SELECT owner_id, kind, concurrency_key, count(*) AS running, 0 AS waiting
    FROM jobs_downloadjob WHERE status = 'processing'
    GROUP BY owner_id, kind, concurrency_key
    UNION ALL
    SELECT lane.owner_id, lane.kind, lane.concurrency_key, 0, sum(ready.jobs)
    FROM (
        SELECT lane_id, count(*) AS jobs FROM jobs_downloadjob
        WHERE status = 'queued' AND lane_id IS NOT NULL GROUP BY lane_id
    ) AS ready
    JOIN jobs_lane AS lane ON lane.id = ready.lane_id
    GROUP BY lane.owner_id, lane.kind, lane.concurrency_key
), counted AS (
    SELECT limits.id, limits.name, limits.max_running,
        sum(active.running) AS running, sum(active.waiting) AS waiting,
        count(DISTINCT active.owner_id) FILTER (WHERE active.waiting > 0) AS owners
    FROM limits JOIN active ON CASE limits.scope
        WHEN 'service' THEN true
        WHEN 'kind' THEN active.kind = limits.name
        WHEN 'owner' THEN CASE
            WHEN limits.owner_id IS NOT NULL THEN active.owner_id = limits.owner_id
            ELSE active.owner_id NOT IN (
                SELECT owner_id FROM limits
                WHERE scope = 'owner' AND owner_id IS NOT NULL AND max_running IS NOT NULL
            ) END
        ELSE CASE
            WHEN limits.name <> '' THEN active.concurrency_key = limits.name
            ELSE active.concurrency_key <> '' AND active.concurrency_key NOT IN (
                SELECT name FROM limits WHERE scope = 'key' AND name <> '' AND max_running IS NOT NULL
            ) END
        END
    GROUP BY limits.id, limits.name, limits.max_running,
        CASE limits.scope WHEN 'owner' THEN active.owner_id::text WHEN 'key' THEN active.concurrency_key END
)
SELECT id, CASE WHEN id IS NULL THEN name ELSE '' END, max(running), sum(waiting),
    count(*) FILTER (WHERE running >= max_running AND waiting > 0), sum(owners)
FROM counted GROUP BY 1, 2
"""  # noqa: E501


@dataclass(frozen=True)
class LimitState:
    """A limit or pause, and its jobs. Without a primary key it is the limit of a kind's class."""

    limit: QueueLimit
    running: int = 0  # of each owner or key: the most of one
    waiting: int = 0  # that are ready to start
    reached: int = 0  # how many have reached it while jobs of theirs wait; more than 1 for "each"
    owners: int = 0  # of the waiting jobs; for "each key" an owner counts once a key

    @property
    def running_text(self) -> str:
        """Return '2 of 3', or '2' without a limit."""
        most = self.limit.max_running
        return f"{self.running:,}" if most is None else f"{self.running:,} of {most:,}"

    @property
    def state(self) -> str:
        """Return 'paused', 'at its limit', or an empty string."""
        if self.limit.is_paused:
            return "paused"
        return "at its limit" if self.reached else ""


def read_limit_states(limits: QuerySet[QueueLimit] | None = None) -> list[LimitState]:
    """Return the limits, by default all and those of kinds' classes, the paused ones first."""
    own = [QueueLimit(scope=QueueLimit.Scope.KIND, name=name, max_running=kind.max_running)
           for name, kind in KINDS.items() if kind.max_running is not None]  # fmt: skip
    if limits is None:
        limits = QueueLimit.objects.select_related("owner", "changed_by")
        shown = [*limits.order_by("-is_paused", "scope", "name", "owner"), *own]
    else:
        shown = list(limits)
    if not shown:
        return []
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [[each.name for each in own], [each.max_running for each in own]])
        counts = {(pk, name): map(int, rest) for pk, name, *rest in cursor.fetchall()}
    return [
        LimitState(limit, *counts.get((limit.pk, "" if limit.pk else limit.name), ()))
        for limit in shown
    ]
