"""The targets. Each bar is a limit for one row of one case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.bench.cases import bundles, idle, jobs, rows, seeds, watchers
from benchmarks.bench.figures import JOB_PROCESSOR, JOB_RATE, P99, PROCESSOR, RATE, Result

REACHED, NOT_REACHED, NOT_MEASURED = "reached", "NOT REACHED", "not measured"


@dataclass(frozen=True)
class Bar:
    """At most or at least `must`: the service's median, or its median ratio to `divisor`'s."""

    case: str
    what: str
    must: float
    aim: float | None = None
    divisor: str = ""
    at_least: bool = False

    @property
    def text(self) -> str:
        divisor = f" ÷ {self.divisor}" if self.divisor else ""
        return f"{self.case}: {self.what}{divisor}"

    def bound(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {value:g}"

    def measured(self, results: Mapping[str, Result]) -> float | None:
        result = results.get(self.case)
        row = result.row(self.what) if result else None
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
        if not self._meets(value, self.must):
            return NOT_REACHED
        is_aim = self.aim is not None and self._meets(value, self.aim)
        return f"{REACHED}, the aim too" if is_aim else REACHED

    def _meets(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least else value <= bound


BARS = [
    Bar("poll", PROCESSOR, 0.8, 0.25, "peer"),
    Bar("poll-304", PROCESSOR, 0.8, 0.2, "peer"),
    Bar("start-50-owners", PROCESSOR, 1.3, 0.75, "peer"),
    Bar("start-1-owner", PROCESSOR, 1.75, 0.9, "peer"),
    Bar("polls-a-second", RATE, 1.3, 4, "peer", at_least=True),
    Bar("polls-a-second", P99, 1, None, "peer"),
    Bar("polls-a-second", RATE, 1_000, at_least=True),
    Bar("small-jobs", JOB_PROCESSOR, 8, 4),
    Bar("small-jobs", JOB_RATE, 0.5, 0.8, "Celery", at_least=True),
    Bar("start-to-processing", f"{jobs.LATENCY}, p50", 50),
    Bar("watchers", watchers.CONNECTED, 10_000, at_least=True),
    Bar("watchers", watchers.MEMORY, 20),
    Bar("watchers", watchers.IDLE, 100),
    Bar("watchers", f"{watchers.CHANGE}, p95", 50),
    Bar("bundle", bundles.MEGABYTES, 0.8, None, "boto3", at_least=True),
    Bar("bundle", bundles.OVER_IDLE, 150),
    Bar("rows", f"poll: {PROCESSOR}", 1.2, 1.05, rows.FEW),
    Bar("rows", f"start: {PROCESSOR}", 1.2, 1.05, rows.FEW),
    Bar("rows", f"small job: {JOB_PROCESSOR}", 1.2, 1.05, rows.FEW),
    Bar("idle", idle.PROCESSOR, 2, 0.5),
    Bar("upload-answer", seeds.UPLOAD_P95, 200),
    Bar("uploads-k6", seeds.ACCEPTED, 100, at_least=True),
    Bar("uploads-a-minute", seeds.IN_TIME, 95, at_least=True),
    Bar("flood", seeds.UNFINISHED, 0),
]
