"""Rows, parameters and files of reports."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from jobs.kinds.report.build import build_report as write_report
from jobs.kinds.report.document import ReportInput, ReportRow
from jobs.testing import MemoryWorkspace

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
) -> ReportInput:
    kept = list(rows)
    fields: dict[str, Any] = {
        "first_day": FIRST,
        "last_day": LAST,
        "owner": "ana",
        "made_at": MADE_AT,
        "count": len(kept),
        "rows": lambda: iter(kept),
    }
    return ReportInput(format, **(fields | overrides))


def build_report(rows: Iterable[ReportRow], /, format: str = "pdf", **overrides: Any) -> bytes:
    """Return the file of a report on these rows."""
    work = MemoryWorkspace()
    write_report(report_params(rows, format, **overrides), work)
    work.close()
    return work.content
