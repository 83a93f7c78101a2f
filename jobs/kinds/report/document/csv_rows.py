"""CSV for spreadsheets: one line for each job.

RFC 4180, in UTF-8 with a byte order mark. Without the mark Excel assumes the code page of its
machine and breaks all non-ASCII letters; other CSV readers skip it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from jobs.kinds.report.document.json_rows import row_json
from jobs.kinds.report.document.report_rows import ReportRow
from jobs.lib.csv_cells import escaped_cell

MARK = "\ufeff"
COLUMNS = [
    "jobId", "name", "owner", "kind", "status", "errorCode", "sizeBytes",
    "createdAt", "finishedAt", "waitedSeconds", "ranSeconds",
]  # fmt: skip


def csv_lines(rows: Iterable[ReportRow]) -> Iterator[bytes]:
    """Yield the header, then a line for each row as soon as it is read."""
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    line.write(MARK)
    writer.writerow(COLUMNS)
    for row in rows:
        yield _drain(line)
        cells = row_json(row)
        writer.writerow([escaped_cell(cells[column]) for column in COLUMNS])
    yield _drain(line)


def _drain(line: io.StringIO) -> bytes:
    """Return what was written, and empty the buffer."""
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text.encode(errors="replace")  # half of a surrogate pair cannot be encoded
