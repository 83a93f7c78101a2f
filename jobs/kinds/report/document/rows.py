"""What a report is made of: one row a job, and what was asked of the report."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType

from jobs.kinds.report.document.labels import period


@dataclass(frozen=True, slots=True)
class Row:
    """One job. Times are aware; a day is one of UTC."""

    job_id: str
    name: str  # of the file: anything that a user typed, in any script
    owner: str  # user name
    kind: str
    status: str
    error_code: str  # empty where there is none
    size_bytes: int | None  # of what was made
    created_at: datetime
    finished_at: datetime | None
    waited_seconds: float | None  # until the last attempt began; None where none has
    ran_seconds: float | None  # None where it is not finished

    @property
    def day(self) -> date:
        return self.created_at.astimezone(UTC).date()


@dataclass(frozen=True)
class ReportParams:
    """`owner` is a user name, or empty: then the report is on everybody. `count` is a guess.

    `rows` reads them, newest first. It is called once: what is read a second time is other rows.
    """

    format: str  # pdf, csv or json
    first_day: date
    last_day: date  # inclusive
    owner: str
    made_at: datetime
    count: int
    rows: Callable[[], Iterator[Row]]

    @property
    def title(self) -> str:
        return f"Activity of {self.owner or 'everybody'}"

    @property
    def period(self) -> str:
        return period(self.first_day, self.last_day)

    @property
    def file_name(self) -> str:
        days = sorted({self.first_day.isoformat(), self.last_day.isoformat()})
        return f"Activity {' to '.join(days)}.{self.format}"


class Spool:
    """Rows on disk, in the order in which they came; enter it to have the file closed.

    A report tells its figures before its rows. Read twice, they would be of two moments, since jobs
    go on meanwhile; in memory 100,000 would be too many.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "rows").open("w+b")
        self._runs: list[tuple[date, int]] = []

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, row: Row) -> None:
        pickle.dump(row, self._file, pickle.HIGHEST_PROTOCOL)
        day, before = self._runs.pop() if self._runs else (row.day, 0)
        if day != row.day:
            self._runs.append((day, before))
            day, before = row.day, 0
        self._runs.append((day, before + 1))

    @property
    def runs(self) -> list[tuple[date, int]]:
        """How many rows there are of one day, then of the next."""
        return list(self._runs)

    def __iter__(self) -> Iterator[Row]:
        self._file.seek(0)
        for _, count in self._runs:
            for _ in range(count):
                yield pickle.load(self._file)  # noqa: S301 our own, of a moment ago
