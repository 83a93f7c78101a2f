"""The rows of a report, one for each job, and a file to keep them in."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path


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


class RowSpool:
    """Rows on disk, in the order they were added. Use it as a context manager to close the file.

    JSON has the figures before the rows. Reading the database twice could return different rows,
    and 100,000 rows are too many for memory.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "rows").open("w+b")
        self._count = 0

    def __enter__(self) -> RowSpool:
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
