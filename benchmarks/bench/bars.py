"""The targets. Each bar is a limit for one row of one case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.bench.cases import bundles, idle, jobs, load_tests, rows, watchers
from benchmarks.bench.figures import JOB_PROCESSOR_TIME, JOB_RATE, P99, PROCESSOR_TIME, RATE, Result

REACHED, NOT_REACHED, NOT_MEASURED = "reached", "NOT REACHED", "not measured"


@dataclass(frozen=True)
class Bar:
    """A limit for the service's median, or for the median of its ratios to `divisor`.

    `must` is the requirement, `aim` a better value. Both are maxima, unless `at_least`.
    """

    case: str
    metric: str
    must: float
    aim: float | None = None
    divisor: str = ""
    at_least: bool = False

    @property
    def text(self) -> str:
        divisor = f" ÷ {self.divisor}" if self.divisor else ""
        return f"{self.case}: {self.metric}{divisor}"

    def bound(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {value:g}"

    def measured(self, results: Mapping[str, Result]) -> float | None:
        result = results.get(self.case)
        row = result.row(self.metric) if result else None
        if row is None or self.divisor not in ("", *row.contenders):
            return None
        if not self.divisor:
            return row.median(row.contenders[0])
        ratios = row.ratios(self.divisor)
        return median(ratios) if ratios else None

    def verdict(self, results: Mapping[str, Result]) -> str:
        value = self.measured(results)
        if value is None:
            return NOT_MEASURED
        if not self._reaches(value, self.must):
            return NOT_REACHED
        reaches_aim = self.aim is not None and self._reaches(value, self.aim)
        return f"{REACHED}, and the aim" if reaches_aim else REACHED

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least else value <= bound


BARS = [
    Bar("poll", PROCESSOR_TIME, 0.8, 0.25, "peer"),
    Bar("poll-304", PROCESSOR_TIME, 0.8, 0.2, "peer"),
    Bar("start-50-owners", PROCESSOR_TIME, 1.3, 0.75, "peer"),
    Bar("start-1-owner", PROCESSOR_TIME, 1.75, 0.9, "peer"),
    Bar("polls-a-second", RATE, 1.3, 4, "peer", at_least=True),
    Bar("polls-a-second", P99, 1, None, "peer"),
    Bar("polls-a-second", RATE, 1_000, at_least=True),
    Bar("small-jobs", JOB_PROCESSOR_TIME, 8, 4),
    Bar("small-jobs", JOB_RATE, 0.5, 0.8, "Celery", at_least=True),
    Bar("start-to-processing", f"{jobs.LATENCY}, p50", 50),
    Bar("watchers", watchers.CONNECTED, 10_000, at_least=True),
    Bar("watchers", watchers.MEMORY, 20),
    Bar("watchers", watchers.IDLE, 100),
    Bar("watchers", f"{watchers.CHANGE}, p95", 50),
    Bar("bundle", bundles.MEGABYTES, 0.8, None, "boto3", at_least=True),
    Bar("bundle", bundles.OVER_IDLE, 150),
    Bar("rows", f"poll: {PROCESSOR_TIME}", 1.2, 1.05, rows.FEW),
    Bar("rows", f"start: {PROCESSOR_TIME}", 1.2, 1.05, rows.FEW),
    Bar("rows", f"small job: {JOB_PROCESSOR_TIME}", 1.2, 1.05, rows.FEW),
    Bar("idle", idle.PROCESSOR, 2, 0.5),
    Bar("upload-answer", load_tests.UPLOAD_P95, 200),
    Bar("uploads-k6", load_tests.ACCEPTED, 100, at_least=True),
    Bar("uploads-a-minute", load_tests.WITHIN_200_MS, 95, at_least=True),
    Bar("flood", load_tests.UNFINISHED, 0),
]
