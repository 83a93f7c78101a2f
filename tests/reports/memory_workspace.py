"""Rows and parameters of a report, and a workspace in memory to build it in."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jobs.kinds.report.build import build
from jobs.kinds.report.document import ReportParams, ReportRow

FIRST, LAST = date(2026, 10, 24), date(2026, 11, 22)
MADE_AT = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def report_row(name: str = "14 files.zip", **overrides: Any) -> ReportRow:
    """Return the row of a completed job, with any fields overridden."""
    fields: dict[str, Any] = {
        "job_id": "2b241cda-4ee4-4a93-8055-7a1f74a4bd18",
        "owner": "ana",
        "kind": "bundle",
        "status": "completed",
        "error_code": "",
        "size_bytes": 1_000,
        "created_at": NOON,
        "finished_at": NOON,
        "waited_seconds": 2.0,
        "ran_seconds": 3.0,
    }
    return ReportRow(name=name, **(fields | overrides))


def report_params(
    rows: Iterable[ReportRow], /, format: str = "pdf", **overrides: Any
) -> ReportParams:
    kept = list(rows)
    fields: dict[str, Any] = {
        "first_day": FIRST,
        "last_day": LAST,
        "owner": "ana",
        "made_at": MADE_AT,
        "count": len(kept),
        "rows": lambda: iter(kept),
    }
    return ReportParams(format, **(fields | overrides))


@dataclass
class MemoryWorkspace:
    """Records all calls. `advance` raises `interrupt()` after `interrupt_after` calls."""

    scratch: Path
    output: io.BytesIO = field(default_factory=io.BytesIO)
    metadata: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    planned: list[tuple[int, str]] = field(default_factory=list)
    advanced: list[int] = field(default_factory=list)
    interrupt: Callable[[], BaseException] | None = None
    interrupt_after: int = 0

    def describe(self, **metadata: Any) -> None:
        assert not self.output.getvalue(), "metadata comes before the first byte"
        self.metadata |= metadata

    def plan(self, total: int, unit: str) -> None:
        self.planned.append((total, unit))

    def say(self, message: str) -> None:
        self.messages.append(message)

    def advance(self, amount: int, *, threads: int = 0) -> None:
        self.advanced.append(amount)
        if self.interrupt and len(self.advanced) > self.interrupt_after:
            raise self.interrupt()


def build_report(rows: Iterable[ReportRow], /, format: str = "pdf", **overrides: Any) -> bytes:
    """Return the file of a report on these rows."""
    with tempfile.TemporaryDirectory() as folder:
        work = MemoryWorkspace(Path(folder))
        build(report_params(rows, format, **overrides), work)  # type: ignore[arg-type]
    return work.output.getvalue()
