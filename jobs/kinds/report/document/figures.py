"""The figures of a report, the same in every format."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from enum import StrEnum
from itertools import chain, count

from jobs.kinds.report.document.report_rows import ReportRow
from jobs.states import Status

LARGEST = 10


class JobOutcome(StrEnum):
    """The status of a job, simplified for charts. An expired job had a file, so it completed."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    IN_PROGRESS = "going"
    FAILED = "failed"


OUTCOMES: dict[str, JobOutcome] = {
    Status.COMPLETED: JobOutcome.COMPLETED,
    Status.EXPIRED: JobOutcome.COMPLETED,
    Status.FAILED: JobOutcome.FAILED,
    Status.CANCELLED: JobOutcome.CANCELLED,
    Status.QUEUED: JobOutcome.IN_PROGRESS,
    Status.PROCESSING: JobOutcome.IN_PROGRESS,
}


@dataclass(frozen=True)
class Percentiles:
    """How waiting or running times are distributed, in seconds."""

    count: int
    median: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Percentiles | None:
        """Return the exact percentiles, or None if there are no values."""
        ordered = array("d", sorted(values))
        if not ordered:
            return None
        at = [percentile_figure(ordered, share) for share in (0.5, 0.95, 0.99, 1)]
        return cls(len(ordered), *at)


def percentile_figure(ordered: array[float], share: float) -> float:
    """Interpolate linearly between the two nearest ranks.

    Same as numpy's `linear` and the `inclusive` method of statistics.quantiles.
    """
    rank = share * (len(ordered) - 1)
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


@dataclass
class FigureTally:
    """The totals of a day or an hour, by when a job was created."""

    outcomes: Counter[JobOutcome] = field(default_factory=Counter)
    size_bytes: int = 0

    def add(self, outcome: JobOutcome, size_bytes: int) -> None:
        self.outcomes[outcome] += 1
        self.size_bytes += size_bytes

    def __add__(self, other: FigureTally) -> FigureTally:
        return FigureTally(self.outcomes + other.outcomes, self.size_bytes + other.size_bytes)


@dataclass(frozen=True)
class KindFigures:
    """The figures of one kind of job."""

    kind: str
    statuses: Counter[str]
    waiting: Percentiles | None
    running: Percentiles | None

    @property
    def jobs(self) -> int:
        return self.statuses.total()


@dataclass(frozen=True)
class Figures:
    """All figures. `days` has each day of the period; `hours` sums up each hour over all days."""

    all: FigureTally
    owners: int
    kinds: list[KindFigures]  # the most frequent first
    waiting: Percentiles | None
    running: Percentiles | None
    days: dict[date, FigureTally]
    hours: list[FigureTally]
    failures: list[tuple[str, int]]  # code and count, the most frequent first
    largest: list[ReportRow]

    @property
    def jobs(self) -> int:
        return self.all.outcomes.total()

    @property
    def finished(self) -> int:
        return self.jobs - self.all.outcomes[JobOutcome.IN_PROGRESS]

    @property
    def failed(self) -> int:
        return self.all.outcomes[JobOutcome.FAILED]

    @property
    def completed(self) -> int:
        return self.all.outcomes[JobOutcome.COMPLETED]


class FigureAggregator:
    """Computes the figures from rows added one by one. Keeps two numbers of each row in memory."""

    def __init__(self, first_day: date, last_day: date) -> None:
        length = (last_day - first_day).days + 1
        self._days = {first_day + timedelta(days): FigureTally() for days in range(length)}
        self._hours = [FigureTally() for _ in range(24)]
        self._all = FigureTally()
        self._owners: set[str] = set()
        self._statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._waits: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._runs: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._failures: Counter[str] = Counter()
        self._largest: list[tuple[int, int, ReportRow]] = []  # a heap
        self._order = count(0, -1)  # of two equally large rows, prefer the first

    def add(self, row: ReportRow) -> None:
        """Add a row. One from outside the period counts everywhere except in `days`."""
        at, size_bytes = row.created_at.astimezone(UTC), row.size_bytes or 0
        outcome = OUTCOMES.get(row.status, JobOutcome.IN_PROGRESS)
        for tally in (self._all, self._hours[at.hour], self._days.get(at.date())):
            if tally is not None:
                tally.add(outcome, size_bytes)
        self._owners.add(row.owner)
        self._statuses[row.kind][row.status] += 1
        if row.waited_seconds is not None:
            self._waits[row.kind].append(row.waited_seconds)
        if row.ran_seconds is not None:
            self._runs[row.kind].append(row.ran_seconds)
        if outcome is JobOutcome.FAILED:
            self._failures[row.error_code] += 1
        if size_bytes:
            self._keep_if_large(row, size_bytes)

    def figures(self) -> Figures:
        kinds = [self._kind_figures(kind) for kind in sorted(self._statuses)]
        return Figures(
            all=self._all,
            owners=len(self._owners),
            kinds=sorted(kinds, key=lambda kind: -kind.jobs),
            waiting=Percentiles.of(chain.from_iterable(self._waits.values())),
            running=Percentiles.of(chain.from_iterable(self._runs.values())),
            days=self._days,
            hours=self._hours,
            failures=sorted(self._failures.items(), key=lambda each: (-each[1], each[0])),
            largest=[row for _, _, row in sorted(self._largest, reverse=True)],
        )

    def _keep_if_large(self, row: ReportRow, size_bytes: int) -> None:
        entry = (size_bytes, next(self._order), row)
        if len(self._largest) < LARGEST:
            heapq.heappush(self._largest, entry)
        elif entry[:2] > self._largest[0][:2]:
            heapq.heapreplace(self._largest, entry)

    def _kind_figures(self, kind: str) -> KindFigures:
        waits, runs = self._waits.get(kind, ()), self._runs.get(kind, ())
        return KindFigures(kind, self._statuses[kind], Percentiles.of(waits), Percentiles.of(runs))
