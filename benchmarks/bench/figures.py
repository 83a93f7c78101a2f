"""The arithmetic: rows of figures, one value a round, and ratios of pairs. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, nan
from statistics import median
from typing import TypeVar

# What rows are named that bars look at.
REQUEST, JOB = "request", "job"
PROCESSOR, RATE = f"processor time a {REQUEST}", f"{REQUEST}s a second"
JOB_PROCESSOR, JOB_RATE = f"processor time a {JOB}", f"{JOB}s a second"
P50 = "p50"
P99 = "p99"
FAILED = "failed requests"


class NotMeasured(Exception):
    """One sentence about why a case has no figures here."""


@dataclass(frozen=True)
class Round:
    """One contender under load once. `spent_ms` is its processor time, by group of processes."""

    requests: int
    seconds: float
    spent_ms: Mapping[str, float]
    failed: int = 0
    p50_ms: float = nan  # of an answer; nobody waits for one where jobs are worked off
    p99_ms: float = nan

    @property
    def processor_ms(self) -> float:
        return sum(self.spent_ms.values()) / self.requests


@dataclass(frozen=True)
class Row:
    """One thing that was measured, by contender, the service first; one value a round."""

    what: str
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
        """Of each round by itself: what slowed the machine then slowed both."""
        pairs = zip(self.values[self.contenders[0]], self.values[divisor], strict=True)
        return [ours / theirs for ours, theirs in pairs if theirs]


@dataclass
class Result:
    """What a case found. `shares` tells where the processor time goes, for each contender."""

    rows: list[Row] = field(default_factory=list)
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def row(self, what: str) -> Row | None:
        return next((row for row in self.rows if row.what == what), None)

    def include(self, other: Result, prefix: str) -> None:
        """Add the rows of another comparison, with a prefix."""
        self.rows += [replace(row, what=f"{prefix}: {row.what}") for row in other.rows]

    def add(self, what: str, unit: str, *values: float, contender: str = "service") -> None:
        """A figure of one contender alone."""
        self.rows.append(Row(what, unit, {contender: list(values)}))


Measure = Callable[[], Round]
T = TypeVar("T")


def alternate(measures: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """A B A B …, so that what slows the machine for a while slows all of them."""
    found: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def compare(measures: Mapping[str, Measure], rounds: int, *, unit: str = REQUEST) -> Result:
    """`unit` is what is counted: a request, or a job."""
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
    def row(what: str, unit: str, value: Callable[[Round], float]) -> Row:
        return Row(what, unit, {name: [value(r) for r in found[name]] for name in found})

    yield row(f"processor time a {counted}", "ms", lambda r: r.processor_ms)
    yield row(f"{counted}s a second", "/s", lambda r: r.requests / r.seconds)
    every = [each for measured in found.values() for each in measured]
    if not any(isnan(each.p50_ms) for each in every):
        yield row(P50, "ms", lambda r: r.p50_ms)
        yield row(P99, "ms", lambda r: r.p99_ms)
    if any(each.failed for each in every):
        yield row(FAILED, "", lambda r: r.failed)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that `share` of all do not exceed."""
    if not values:
        raise NotMeasured("there are no values")
    ordered = sorted(values)
    rank = -int(-len(ordered) * share // 1)  # rounded up
    return ordered[max(rank, 1) - 1]
