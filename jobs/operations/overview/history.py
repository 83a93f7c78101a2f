"""What happened in a period, by bar and by kind, read from the sums of JobStatistics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

from django.db.models import DateTimeField, F, Func, Sum, Value

from jobs.models import JobStatistics
from jobs.models.job_statistics import BUCKETS, TIMED
from jobs.operations.overview.percentiles import estimated_percentile
from jobs.operations.overview.periods import EPOCH, TimeRange

COUNTERS = ("submitted", "completed", "failed", "failed_with_dependency", "cancelled", "retried")


@dataclass
class Sums:
    """The counters of a bar, of a kind, or of all."""

    submitted: int = 0
    completed: int = 0
    failed: int = 0
    failed_with_dependency: int = 0
    cancelled: int = 0
    retried: int = 0

    def add(self, row: dict[str, Any]) -> None:
        for name in COUNTERS:
            setattr(self, name, getattr(self, name) + (row[name] or 0))

    @property
    def failure_share(self) -> float:
        """The share of attempted jobs that failed."""
        attempted = self.completed + self.failed
        return self.failed / attempted if attempted else 0.0

    @property
    def has_any(self) -> bool:
        return any(getattr(self, name) for name in COUNTERS)


@dataclass
class Latencies:
    """Histograms of times and their sums in seconds, by their names in TIMED."""

    counts: dict[str, list[int]] = field(
        default_factory=lambda: {name: [0] * BUCKETS for name in TIMED}
    )
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TIMED, 0.0))

    def percentiles(self, name: str) -> tuple[float | None, float | None]:
        """Return the estimated median and 95th percentile, in seconds."""
        counts, seconds = self.counts[name], self.seconds[name]
        return (
            estimated_percentile(counts, 0.5, seconds),
            estimated_percentile(counts, 0.95, seconds),
        )

    def plus(self, other: Latencies) -> Latencies:
        return Latencies(
            {
                name: [one + two for one, two in zip(counts, other.counts[name], strict=True)]
                for name, counts in self.counts.items()
            },
            {name: seconds + other.seconds[name] for name, seconds in self.seconds.items()},
        )


@dataclass
class History:
    """The sums of a period. Kinds without any jobs in it are missing."""

    period: TimeRange
    bars: dict[datetime, Sums]
    kinds: dict[str, Sums]
    total: Sums
    latencies: dict[str, Latencies]

    @property
    def all_latencies(self) -> Latencies:
        return reduce(Latencies.plus, self.latencies.values(), Latencies())


class DateBin(Func):
    """Postgres' date_bin: the beginning of the bar that a time is in."""

    function = "date_bin"
    output_field = DateTimeField()


def read_history(period: TimeRange, now: datetime) -> History:
    """Read the sums of the period, in two queries."""
    starts = period.starts(now)
    rows = JobStatistics.objects.filter(start__gte=starts[0])
    bars: dict[datetime, Sums] = {start: Sums() for start in starts}
    kinds: dict[str, Sums] = defaultdict(Sums)
    total = Sums()
    bar = DateBin(Value(period.step), F("start"), Value(EPOCH))
    counted = rows.values("kind", bar=bar).annotate(**{name: Sum(name) for name in COUNTERS})
    row: Any
    for row in counted:
        kinds[row["kind"]].add(row)
        total.add(row)
        if row["bar"] in bars:  # the clock of the database may be ahead
            bars[row["bar"]].add(row)
    return History(period, bars, dict(kinds), total, _read_latencies(rows))


def _read_latencies(rows: Any) -> dict[str, Latencies]:
    sums = {f"{name}_{n}": Sum(f"{name}__{n}") for name in TIMED for n in range(BUCKETS)}
    sums |= {f"{name}_sum": Sum(f"{name}_seconds") for name in TIMED}
    return {
        row["kind"]: Latencies(
            {name: [row[f"{name}_{n}"] or 0 for n in range(BUCKETS)] for name in TIMED},
            {name: row[f"{name}_sum"] or 0.0 for name in TIMED},
        )
        for row in rows.values("kind").annotate(**sums)
    }
