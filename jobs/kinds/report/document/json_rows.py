"""The figures and the rows as one JSON object, in the words of the API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from jobs.kinds.report.document.figures import Figures, OfKind, Outcome, Spread, Tally
from jobs.kinds.report.document.rows import ReportParams, Row

PLACES = 3  # of seconds


def json_lines(params: ReportParams, figures: Figures, rows: Iterable[Row]) -> Iterator[bytes]:
    """A line for the figures, one for each row, one for the end."""
    head = _encoded(told(params, figures))
    yield head[:-1] + b', "rows": ['
    between = b"\n"
    for row in rows:
        yield between + _encoded(wire(row))
        between = b",\n"
    yield b"\n]}\n"


def told(params: ReportParams, figures: Figures) -> dict[str, Any]:
    """All but the rows. `owner` is null where the report is on everybody."""
    return {
        "title": params.title,
        "owner": params.owner or None,
        "period": {"from": params.first_day.isoformat(), "to": params.last_day.isoformat()},
        "madeAt": _time(params.made_at),
        "jobs": figures.jobs,
        "byKind": {of.kind: _kind(of) for of in figures.kinds},
        "waitingSeconds": _spread(figures.waiting),
        "runningSeconds": _spread(figures.running),
        "bytes": figures.all.size_bytes,
        "failures": [{"code": code, "jobs": jobs} for code, jobs in figures.failures],
        "largest": [wire(row) for row in figures.largest],
        "days": [{"day": day.isoformat()} | _tally(tally) for day, tally in figures.days.items()],
    }


def wire(row: Row) -> dict[str, Any]:
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


def _kind(of: OfKind) -> dict[str, Any]:
    return {
        "jobs": of.jobs,
        "byStatus": dict(sorted(of.statuses.items())),
        "waitingSeconds": _spread(of.waiting),
        "runningSeconds": _spread(of.running),
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {name: round(value, PLACES) for name, value in asdict(spread).items()}


def _tally(tally: Tally) -> dict[str, Any]:
    jobs = {outcome.value: tally.outcomes[outcome] for outcome in Outcome}
    return {"jobs": tally.outcomes.total(), **jobs, "bytes": tally.size_bytes}


def _time(at: datetime | None) -> str | None:
    """As RFC 3339 has it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(count: float | None) -> float | None:
    return None if count is None else round(count, PLACES)


def _encoded(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode(errors="replace")
