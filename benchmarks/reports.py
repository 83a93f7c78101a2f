"""What a report costs, on 100,000 downloads and on 1,000: memory, time, pages, bytes.

`make bench-reports`: made-up rows and no server, each report in a process of its own; takes about
half a minute. The exit status tells whether every promise was kept.
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
# What is promised; the exit status tells whether it was kept.
PEAK_MIB, MORE_MIB, SECONDS = 300, 120, 60
ROW = "| {:6} | {:>8} | {:>6} | {:>10} | {:>10} | {:>9} | {:>8} | {:6} |"


@dataclass(frozen=True)
class Cost:
    pages: str
    size_bytes: int
    idle_mib: float
    peak_mib: float
    seconds: float

    @property
    def is_as_promised(self) -> bool:
        more = self.peak_mib - self.idle_mib
        return self.peak_mib <= PEAK_MIB and more <= MORE_MIB and self.seconds <= SECONDS


class Sink:
    """A workspace that only counts."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.output = scratch, self
        self.size_bytes = 0
        self.said = ""

    def write(self, chunk: bytes) -> None:
        self.size_bytes += len(chunk)

    def say(self, message: str) -> None:
        self.said = message

    def describe(self, **told: object) -> None:
        pass

    def plan(self, total: int, unit: str) -> None:
        pass

    def advance(self, amount: int, *, threads: int = 0) -> None:
        pass


def measure(form: str, count: int) -> Cost:
    from jobs.kinds.report.build import build
    from jobs.kinds.report.document import ReportParams, Row
    from tests.reports.made_up import rows

    def read() -> Iterator[Row]:
        return rows(count, FIRST, LAST)

    idle = memory_mib("VmRSS")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sink = Sink(Path(folder))
        build(ReportParams(form, FIRST, LAST, "", MADE_AT, count, read), sink)  # type: ignore[arg-type]
    pages = sink.said.rpartition(" of ")[2] if form == "pdf" else ""
    seconds = time.monotonic() - began
    return Cost(pages, sink.size_bytes, idle, memory_mib("VmHWM"), seconds)


def memory_mib(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0


def main() -> int:
    print(f"Promised: at most {PEAK_MIB} MiB, {MORE_MIB} MiB over idle, {SECONDS} s\n")
    print(ROW.format("", "jobs", "pages", "bytes", "peak", "over idle", "time", ""))
    print(ROW.format(*["---"] * 8), flush=True)
    kept = True
    # Each in a fresh process: a peak is one of the whole life of a process.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for count in COUNTS:
            for form in FORMATS:
                cost = pool.submit(measure, form, count).result()
                kept &= cost.is_as_promised
                print(line(form, count, cost), flush=True)
    return int(not kept)


def line(form: str, count: int, cost: Cost) -> str:
    return ROW.format(
        form,
        f"{count:,}",
        cost.pages,
        f"{cost.size_bytes:,}",
        f"{cost.peak_mib:.0f} MiB",
        f"{cost.peak_mib - cost.idle_mib:.0f} MiB",
        f"{cost.seconds:.1f} s",
        "kept" if cost.is_as_promised else "BROKEN",
    )


if __name__ == "__main__":
    sys.exit(main())
