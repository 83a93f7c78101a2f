"""The figures of a report, the same for every format."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from enum import StrEnum
from itertools import chain, count

from jobs.kinds.report.document.rows import Row
from jobs.states import Status

LARGEST = 10


class Outcome(StrEnum):
    """What became of a job, as far as people care. Of an expired one there was a file."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    GOING = "going"
    FAILED = "failed"


OUTCOMES: dict[str, Outcome] = {
    Status.COMPLETED: Outcome.COMPLETED,
    Status.EXPIRED: Outcome.COMPLETED,
    Status.FAILED: Outcome.FAILED,
    Status.CANCELLED: Outcome.CANCELLED,
    Status.QUEUED: Outcome.GOING,
    Status.PROCESSING: Outcome.GOING,
}


@dataclass(frozen=True)
class Spread:
    """How many seconds it took."""

    count: int
    median: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Exact; None of nothing."""
        ordered = array("d", sorted(values))
        if not ordered:
            return None
        at = [percentile(ordered, share) for share in (0.5, 0.95, 0.99, 1)]
        return cls(len(ordered), *at)


def percentile(ordered: array[float], share: float) -> float:
    """Between the two nearest ranks in proportion, as numpy's `linear` and statistics' `inclusive`
    do."""
    rank = share * (len(ordered) - 1)
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


@dataclass
class Tally:
    """Of a day or an hour, by when a job was asked for."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    size_bytes: int = 0

    def add(self, outcome: Outcome, size_bytes: int) -> None:
        self.outcomes[outcome] += 1
        self.size_bytes += size_bytes

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.outcomes + other.outcomes, self.size_bytes + other.size_bytes)


@dataclass(frozen=True)
class OfKind:
    kind: str
    statuses: Counter[str]
    waiting: Spread | None
    running: Spread | None

    @property
    def jobs(self) -> int:
        return self.statuses.total()


@dataclass(frozen=True)
class Figures:
    """Of all rows. `days` are those of the period, and `hours` those of a day, over all days."""

    all: Tally
    owners: int
    kinds: list[OfKind]  # the most frequent first
    waiting: Spread | None
    running: Spread | None
    days: dict[date, Tally]
    hours: list[Tally]
    failures: list[tuple[str, int]]  # code and count, the most frequent first
    largest: list[Row]

    @property
    def jobs(self) -> int:
        return self.all.outcomes.total()

    @property
    def over(self) -> int:
        """How many jobs are not going any more."""
        return self.jobs - self.all.outcomes[Outcome.GOING]

    @property
    def failed(self) -> int:
        return self.all.outcomes[Outcome.FAILED]

    @property
    def completed(self) -> int:
        return self.all.outcomes[Outcome.COMPLETED]


class Counting:
    """Takes row after row. In memory: two numbers of each, and whatever is as few as days."""

    def __init__(self, first_day: date, last_day: date) -> None:
        length = (last_day - first_day).days + 1
        self._days = {first_day + timedelta(days): Tally() for days in range(length)}
        self._hours = [Tally() for _ in range(24)]
        self._all = Tally()
        self._owners: set[str] = set()
        self._statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._waits: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._runs: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._failures: Counter[str] = Counter()
        self._largest: list[tuple[int, int, Row]] = []  # a heap
        self._order = count(0, -1)  # of two as large, the one that came first

    def add(self, row: Row) -> None:
        """A row from outside the period counts everywhere but among the days."""
        at, size_bytes = row.created_at.astimezone(UTC), row.size_bytes or 0
        outcome = OUTCOMES.get(row.status, Outcome.GOING)
        for tally in (self._all, self._hours[at.hour], self._days.get(at.date())):
            if tally is not None:
                tally.add(outcome, size_bytes)
        self._owners.add(row.owner)
        self._statuses[row.kind][row.status] += 1
        if row.waited_seconds is not None:
            self._waits[row.kind].append(row.waited_seconds)
        if row.ran_seconds is not None:
            self._runs[row.kind].append(row.ran_seconds)
        if outcome is Outcome.FAILED:
            self._failures[row.error_code] += 1
        if size_bytes:
            self._consider(row, size_bytes)

    def figures(self) -> Figures:
        kinds = [self._of_kind(kind) for kind in sorted(self._statuses)]
        return Figures(
            all=self._all,
            owners=len(self._owners),
            kinds=sorted(kinds, key=lambda of: -of.jobs),
            waiting=Spread.of(chain.from_iterable(self._waits.values())),
            running=Spread.of(chain.from_iterable(self._runs.values())),
            days=self._days,
            hours=self._hours,
            failures=sorted(self._failures.items(), key=lambda each: (-each[1], each[0])),
            largest=[row for _, _, row in sorted(self._largest, reverse=True)],
        )

    def _consider(self, row: Row, size_bytes: int) -> None:
        entry = (size_bytes, next(self._order), row)
        if len(self._largest) < LARGEST:
            heapq.heappush(self._largest, entry)
        elif entry[:2] > self._largest[0][:2]:
            heapq.heapreplace(self._largest, entry)

    def _of_kind(self, kind: str) -> OfKind:
        waits, runs = self._waits.get(kind, ()), self._runs.get(kind, ())
        return OfKind(kind, self._statuses[kind], Spread.of(waits), Spread.of(runs))
