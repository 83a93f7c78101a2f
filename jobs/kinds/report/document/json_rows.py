"""The figures and the rows as one JSON object, with the names of the API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from jobs.kinds.report.document.figures import (
    Figures,
    FigureTally,
    JobOutcome,
    KindFigures,
    Percentiles,
)
from jobs.kinds.report.document.report_input import ReportInput
from jobs.kinds.report.document.report_rows import ReportRow

PLACES = 3  # decimal places of seconds


def json_lines(params: ReportInput, figures: Figures, rows: Iterable[ReportRow]) -> Iterator[bytes]:
    """Yield a line with the figures, one for each row, and one for the end."""
    head = _encoded(_figures(params, figures))
    yield head[:-1] + b', "rows": ['
    separator = b"\n"
    for row in rows:
        yield separator + _encoded(row_json(row))
        separator = b",\n"
    yield b"\n]}\n"


def _figures(params: ReportInput, figures: Figures) -> dict[str, Any]:
    """Return everything except the rows. `owner` is null in a report on all users."""
    return {
        "title": params.title,
        "owner": params.owner or None,
        "period": {"from": params.first_day.isoformat(), "to": params.last_day.isoformat()},
        "madeAt": _time(params.made_at),
        "jobs": figures.jobs,
        "byKind": {kind.kind: _kind(kind) for kind in figures.kinds},
        "waitingSeconds": _percentiles(figures.waiting),
        "runningSeconds": _percentiles(figures.running),
        "bytes": figures.all.size_bytes,
        "failures": [{"code": code, "jobs": jobs} for code, jobs in figures.failures],
        "largest": [row_json(row) for row in figures.largest],
        "days": [{"day": day.isoformat()} | _tally(tally) for day, tally in figures.days.items()],
    }


def row_json(row: ReportRow) -> dict[str, Any]:
    return {
        "jobId": row.job_id,
        "name": row.name,
        "owner": row.owner,
        "kind": row.kind,
        "status": row.status,
        "errorCode": row.error_code or None,
        "sizeBytes": row.size_bytes,
        "createdAt": _time(row.created_at),
        "finishedAt": _time(row.finished_at),
        "waitedSeconds": _seconds(row.waited_seconds),
        "ranSeconds": _seconds(row.ran_seconds),
    }


def _kind(kind: KindFigures) -> dict[str, Any]:
    return {
        "jobs": kind.jobs,
        "byStatus": dict(sorted(kind.statuses.items())),
        "waitingSeconds": _percentiles(kind.waiting),
        "runningSeconds": _percentiles(kind.running),
    }


def _percentiles(percentiles: Percentiles | None) -> dict[str, float] | None:
    if percentiles is None:
        return None
    return {name: round(value, PLACES) for name, value in asdict(percentiles).items()}


def _tally(tally: FigureTally) -> dict[str, Any]:
    jobs = {outcome.value: tally.outcomes[outcome] for outcome in JobOutcome}
    return {"jobs": tally.outcomes.total(), **jobs, "bytes": tally.size_bytes}


def _time(at: datetime | None) -> str | None:
    """Format as RFC 3339, in UTC."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(count: float | None) -> float | None:
    return None if count is None else round(count, PLACES)


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")
