"""One line a job, for spreadsheets.

RFC 4180, in UTF-8. It begins with a byte order mark: without one Excel takes it for the code page
of its machine and breaks all but plain letters, and whatever else reads CSV knows how to skip it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from jobs.reporting.json_rows import wire
from jobs.reporting.rows import Row

MARK = "\ufeff"
# What a spreadsheet takes for a formula; it may call programs and send away what is in the sheet.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
COLUMNS = [
    "jobId", "name", "owner", "kind", "status", "errorCode", "sizeBytes",
    "createdAt", "finishedAt", "waitedSeconds", "ranSeconds",
]  # fmt: skip


def csv_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """The header, then a line for each row as soon as it is there."""
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    line.write(MARK)
    writer.writerow(COLUMNS)
    for row in rows:
        yield _taken(line)
        told = wire(row)
        writer.writerow([_defused(told[column]) for column in COLUMNS])
    yield _taken(line)


def _defused(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _taken(line: io.StringIO) -> bytes:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text.encode(errors="replace")  # half of a surrogate pair is no character
