"""Rows of figures with one value per round, medians and ratios. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, nan
from statistics import median
from typing import TypeVar

# Names of rows, which bars refer to.
REQUEST, JOB = "request", "job"
PROCESSOR_TIME, RATE = f"processor time per {REQUEST}", f"{REQUEST}s per second"
JOB_PROCESSOR_TIME, JOB_RATE = f"processor time per {JOB}", f"{JOB}s per second"
P50 = "p50"
P99 = "p99"
FAILED = "failed requests"


class NotMeasured(Exception):
    """A case has no figures. The message is the reason."""


@dataclass(frozen=True)
class Round:
    """One contender in one round. `spent_ms` is its processor time by process group."""

    requests: int
    seconds: float
    spent_ms: Mapping[str, float]
    failed: int = 0
    p50_ms: float = nan  # response time; NaN for jobs
    p99_ms: float = nan

    @property
    def processor_ms(self) -> float:
        return sum(self.spent_ms.values()) / self.requests


@dataclass(frozen=True)
class Row:
    """The values of one metric, one per round, by contender; the service comes first."""

    metric: str
    unit: str
    values: Mapping[str, Sequence[float]]

    @property
    def contenders(self) -> list[str]:
        return list(self.values)

    def median(self, contender: str) -> float:
        return median(self.values[contender])

    def spread(self, contender: str) -> tuple[float, float]:
        return min(self.values[contender]), max(self.values[contender])

    def ratios(self, divisor: str) -> list[float]:
        """Return the ratio of each round: a slow machine slows both contenders in that round."""
        pairs = zip(self.values[self.contenders[0]], self.values[divisor], strict=True)
        return [service / other for service, other in pairs if other]


@dataclass
class Result:
    """The figures of a case. `shares` has the processor time by contender and process group."""

    rows: list[Row] = field(default_factory=list)
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def row(self, metric: str) -> Row | None:
        return next((row for row in self.rows if row.metric == metric), None)

    def include(self, other: Result, prefix: str) -> None:
        """Add the rows of another result, with a prefix."""
        self.rows += [replace(row, metric=f"{prefix}: {row.metric}") for row in other.rows]

    def add(self, metric: str, unit: str, *values: float, contender: str = "service") -> None:
        """Add the values of a single contender."""
        self.rows.append(Row(metric, unit, {contender: list(values)}))


Measure = Callable[[], Round]
T = TypeVar("T")


def alternate(measures: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure A B A B …, so that a slow phase of the machine slows all of them."""
    found: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def compare(measures: Mapping[str, Measure], rounds: int, *, unit: str = REQUEST) -> Result:
    """Measure all of them in rounds. `unit` is what is counted: requests or jobs."""
    found = alternate(measures, rounds)
    result = Result(list(_rows(found, unit)))
    for name, measured in found.items():
        groups = measured[0].spent_ms
        result.shares[name] = {
            group: median(each.spent_ms[group] / each.requests for each in measured)
            for group in groups
        }
    return result


def _rows(found: Mapping[str, Sequence[Round]], counted: str) -> Iterator[Row]:
    def row(metric: str, unit: str, value: Callable[[Round], float]) -> Row:
        return Row(metric, unit, {name: [value(r) for r in found[name]] for name in found})

    yield row(f"processor time per {counted}", "ms", lambda r: r.processor_ms)
    yield row(f"{counted}s per second", "/s", lambda r: r.requests / r.seconds)
    rounds = [each for measured in found.values() for each in measured]
    if not any(isnan(each.p50_ms) for each in rounds):
        yield row(P50, "ms", lambda r: r.p50_ms)
        yield row(P99, "ms", lambda r: r.p99_ms)
    if any(each.failed for each in rounds):
        yield row(FAILED, "", lambda r: r.failed)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, for a `share` such as 0.95. Raises NotMeasured."""
    if not values:
        raise NotMeasured("there are no values")
    ordered = sorted(values)
    rank = -int(-len(ordered) * share // 1)  # rounded up
    return ordered[max(rank, 1) - 1]
