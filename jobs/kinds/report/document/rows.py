"""The input of a report: its parameters, and one row for each job."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from jobs.kinds.report.document.labels import date_range


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One job. Times are aware; days are in UTC."""

    job_id: str
    name: str  # of the file: any text that a user typed, in any script
    owner: str  # user name
    kind: str
    status: str
    error_code: str  # empty if there is none
    size_bytes: int | None  # of the artifact
    created_at: datetime
    finished_at: datetime | None
    waited_seconds: float | None  # until the last attempt started; None if none has
    ran_seconds: float | None  # None if the job is not finished

    @property
    def day(self) -> date:
        return self.created_at.astimezone(UTC).date()


@dataclass(frozen=True)
class ReportParams:
    """What to report on.

    `owner` is a user name, or empty for a report on all users. `count` is an estimate. `rows`
    returns the rows, newest first. Call it once: a second call may return other rows.
    """

    format: str  # pdf, csv or json
    first_day: date
    last_day: date  # inclusive
    owner: str
    made_at: datetime
    count: int
    rows: Callable[[], Iterator[ReportRow]]
    kind_labels: Mapping[str, str] = field(default_factory=dict)

    def kind_label(self, name: str) -> str:
        return self.kind_labels.get(name, name.capitalize())

    @property
    def title(self) -> str:
        return f"Activity of {self.owner or 'everybody'}"

    @property
    def period(self) -> str:
        return date_range(self.first_day, self.last_day)

    @property
    def file_name(self) -> str:
        days = sorted({self.first_day.isoformat(), self.last_day.isoformat()})
        return f"Activity {' to '.join(days)}.{self.format}"


class Spool:
    """Rows on disk, in the order they were added. Use it as a context manager to close the file.

    JSON has the figures before the rows. Reading the database twice could return different rows,
    and 100,000 rows are too many for memory.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "rows").open("w+b")
        self._count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: ReportRow) -> None:
        pickle.dump(row, self._file, pickle.HIGHEST_PROTOCOL)
        self._count += 1

    def __iter__(self) -> Iterator[ReportRow]:
        self._file.seek(0)
        for _ in range(self._count):
            yield pickle.load(self._file)  # noqa: S301 written by this process
