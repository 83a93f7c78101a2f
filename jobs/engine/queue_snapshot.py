"""What the queues look like: read every few seconds, and kept by each process for its polls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import structlog
from django.db import DatabaseError

from jobs.engine.kind_speeds import kind_speed
from jobs.engine.queue_order import Place, QueueOrder, ReadyLane
from jobs.engine.queue_rows import LaneRow, QueueRows, read_queue_rows
from jobs.engine.running_limits import RunningLimits, StartBlock
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, JobRow

log = structlog.get_logger(__name__)

KEPT_SECONDS = 2.0  # a poll must stay one query for one row
MOST_OF_THE_TIME = 0.04  # that a process spends on reading long queues


class QueueState(NamedTuple):
    """One queue: the order of its ready jobs, and what its workers do."""

    order: QueueOrder
    slots: int  # jobs that the workers can run at once; 0: no worker reports
    running: int
    running_seconds: float  # that the running jobs still take, estimated

    def seconds_until_start(self, place: Place) -> float:
        """Return the estimated seconds until the job at this place starts."""
        slots = max(self.slots, self.running, 1)
        if self.running + place.jobs < slots:
            return 0.0
        return (self.running_seconds + place.seconds) / slots


NOTHING_KNOWN = QueueState(QueueOrder([], tags={}, clock=0), 0, 0, 0.0)


class QueueSnapshot:
    """The queues at one time."""

    @classmethod
    def read(cls) -> Self:
        kind_limits = {kind.name: kind.max_running for kind in KINDS.values()}
        return cls(read_queue_rows(kind_limits), kind_limits)

    def __init__(self, rows: QueueRows, kind_limits: Mapping[str, int | None]) -> None:
        self._limits = RunningLimits(rows.limits, rows.blocked, kind_limits)
        self._keys = {lane.id: lane.concurrency_key for lane in rows.lanes}
        lanes: defaultdict[str, list[LaneRow]] = defaultdict(list)
        for lane in rows.lanes:
            if lane.kind in KINDS:
                lanes[KINDS[lane.kind].queue].append(lane)
        queues = {kind.queue for kind in KINDS.values()}
        self._queues = {name: self._state(name, lanes[name], rows) for name in queues}

    def state(self, kind: str) -> QueueState:
        """Return the state of the queue with the jobs of the kind."""
        return self._queues[KINDS[kind].queue]

    def block(self, job: DownloadJob | JobRow) -> StartBlock | None:
        """Return the pause or the limit that keeps the job from starting, if any."""
        key = self._keys.get(job.lane_id, "") if job.lane_id else ""
        return self._limits.block(owner_id=job.owner_id, kind=job.kind, concurrency_key=key)

    def _state(self, name: str, lanes: Iterable[LaneRow], rows: QueueRows) -> QueueState:
        running = [job for job in rows.running if job.queue == name]
        shares = [share for share in rows.shares if share.queue == name]
        weights = {lane.owner_id: lane.weight for lane in lanes}
        tags = defaultdict(float, {share.owner_id: share.used for share in shares})
        for job in running:
            tags[job.owner_id] += job.seconds / weights.get(job.owner_id, 1.0)
        starts = [job.virtual_start or 0.0 for job in running] + [each.started for each in shares]
        free: list[ReadyLane] = []
        blocked: list[ReadyLane] = []
        for lane in lanes:
            (blocked if self._block_of(lane) else free).append(_ready_lane(lane))
        return QueueState(
            order=QueueOrder(free, blocked, tags=tags, clock=max(starts, default=0.0)),
            slots=sum(worker.slots for worker in rows.workers if name in worker.queues),
            running=len(running),
            running_seconds=sum(job.remaining or 0.0 for job in running),
        )

    def _block_of(self, lane: LaneRow) -> StartBlock | None:
        return self._limits.block(
            owner_id=lane.owner_id, kind=lane.kind, concurrency_key=lane.concurrency_key
        )


def _ready_lane(lane: LaneRow) -> ReadyLane:
    speed, before = kind_speed(lane.kind), [0.0]
    for total in lane.totals:
        before.append(before[-1] + speed.seconds(total))
    return ReadyLane(
        lane.id, lane.owner_id, lane.priority, lane.weight, lane.ready, lane.is_capped,
        lane.times, before,
    )  # fmt: skip


class SnapshotCache:
    """The last snapshot that this process has read."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.snapshot: QueueSnapshot | None = None
        self._fresh_until = float("-inf")

    def take_refresh(self) -> bool:
        """Return True if the caller has to refresh it. Others then use the last one for a while."""
        now = time.monotonic()
        if now < self._fresh_until:
            return False
        self._fresh_until = now + KEPT_SECONDS
        return True

    def refresh(self) -> None:
        """Read the queues. Without the database, the last snapshot is kept."""
        began = time.monotonic()
        try:
            self.snapshot = QueueSnapshot.read()
        except DatabaseError as error:
            log.warning("the queue could not be read", error=repr(error))  # polls need not fail
        now = time.monotonic()
        self._fresh_until = now + max(KEPT_SECONDS, (now - began) / MOST_OF_THE_TIME)


CACHE = SnapshotCache()
