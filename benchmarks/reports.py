"""Measure memory, time and size of reports on 1,000 and on 100,000 downloads.

`make bench-reports` uses sample rows and no server, and runs each report in its own process. Takes
about 15 seconds. The exit status is 1 if a limit was exceeded.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

FIRST, LAST = date(2025, 11, 23), date(2026, 11, 22)
MADE_AT = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)
COUNTS = (1_000, 100_000)
FORMATS = ("pdf", "csv", "json")
# The limits.
PEAK_MIB, MORE_MIB, SECONDS = 100, 30, 60
ROW = "| {:6} | {:>8} | {:>10} | {:>10} | {:>9} | {:>8} | {:8} |"


@dataclass(frozen=True)
class Cost:
    size_bytes: int
    idle_mib: float
    peak_mib: float
    seconds: float

    @property
    def is_within_limits(self) -> bool:
        more = self.peak_mib - self.idle_mib
        return self.peak_mib <= PEAK_MIB and more <= MORE_MIB and self.seconds <= SECONDS


class Sink:
    """A workspace that only counts bytes."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.output = scratch, self
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        self.size_bytes += len(chunk)

    def say(self, message: str) -> None:
        pass

    def describe(self, **metadata: object) -> None:
        pass

    def plan(self, total: int, unit: str) -> None:
        pass

    def advance(self, amount: int, *, threads: int = 0) -> None:
        pass


def measure(format: str, count: int) -> Cost:
    from jobs.kinds.report.build import build_report
    from jobs.kinds.report.document import ReportInput, ReportRow
    from tests.reports.sample_rows import rows

    def read() -> Iterator[ReportRow]:
        return rows(count, FIRST, LAST)

    idle = memory_mib("VmRSS")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sink = Sink(Path(folder))
        build_report(ReportInput(format, FIRST, LAST, "", MADE_AT, count, read), sink)  # type: ignore[arg-type]
    seconds = time.monotonic() - began
    return Cost(sink.size_bytes, idle, memory_mib("VmHWM"), seconds)


def memory_mib(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0


def main() -> int:
    print(f"Limits: {PEAK_MIB} MiB, {MORE_MIB} MiB over idle, {SECONDS} s\n")
    print(ROW.format("", "jobs", "bytes", "peak", "over idle", "time", ""))
    print(ROW.format(*["---"] * 7), flush=True)
    all_within_limits = True
    # Each in a fresh process: the peak covers the whole life of a process.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for count in COUNTS:
            for format in FORMATS:
                cost = pool.submit(measure, format, count).result()
                all_within_limits &= cost.is_within_limits
                print(line(format, count, cost), flush=True)
    return int(not all_within_limits)


def line(format: str, count: int, cost: Cost) -> str:
    return ROW.format(
        format,
        f"{count:,}",
        f"{cost.size_bytes:,}",
        f"{cost.peak_mib:.0f} MiB",
        f"{cost.peak_mib - cost.idle_mib:.0f} MiB",
        f"{cost.seconds:.1f} s",
        "ok" if cost.is_within_limits else "EXCEEDED",
    )


if __name__ == "__main__":
    sys.exit(main())
