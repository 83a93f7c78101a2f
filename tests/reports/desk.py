"""What a report is asked for, and a workspace in memory and on disk that it is made in."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jobs.kinds.report.build import build
from jobs.kinds.report.document import ReportParams, Row

FIRST, LAST = date(2026, 10, 24), date(2026, 11, 22)
MADE_AT = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def row(name: str = "14 files.zip", **others: Any) -> Row:
    """One that was made, unless told otherwise."""
    usual: dict[str, Any] = {
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
    return Row(name=name, **(usual | others))


def params(given: Iterable[Row], form: str = "pdf", **others: Any) -> ReportParams:
    kept = list(given)
    usual: dict[str, Any] = {
        "first_day": FIRST,
        "last_day": LAST,
        "owner": "ana",
        "made_at": MADE_AT,
        "count": len(kept),
        "rows": lambda: iter(kept),
    }
    return ReportParams(form, **(usual | others))


@dataclass
class Desk:
    """`patience` is how often `advance` may be called before it raises what `interrupt` makes."""

    scratch: Path
    output: io.BytesIO = field(default_factory=io.BytesIO)
    told: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    planned: list[tuple[int, str]] = field(default_factory=list)
    advanced: list[int] = field(default_factory=list)
    interrupt: Callable[[], BaseException] | None = None
    patience: int = 0

    def describe(self, **told: Any) -> None:
        assert not self.output.getvalue(), "told before anything is written"
        self.told |= told

    def plan(self, total: int, unit: str) -> None:
        self.planned.append((total, unit))

    def say(self, message: str) -> None:
        self.said.append(message)

    def advance(self, amount: int, *, threads: int = 0) -> None:
        self.advanced.append(amount)
        if self.interrupt and len(self.advanced) > self.patience:
            raise self.interrupt()


def made(rows: Iterable[Row], form: str = "pdf", **others: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        build(params(rows, form, **others), desk)  # type: ignore[arg-type]
    return desk.output.getvalue()
