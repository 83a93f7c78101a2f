"""One line a job, for spreadsheets.

RFC 4180, in UTF-8. It begins with a byte order mark: without one Excel takes it for the code page
of its machine and breaks all but plain letters, and whatever else reads CSV knows how to skip it.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from jobs.kinds.report.document.json_rows import wire
from jobs.kinds.report.document.rows import Row

MARK = "\ufeff"
# What a spreadsheet takes for a formula; it may call programs and send away what is in the sheet.
# Full-width, small and raised signs too, which some read as the plain ones.
SIGNS = (
    "=+@"
    + "-"
    + "".join(
        c
        for c in map(chr, range(0x2000, 0x10000))
        if unicodedata.normalize("NFKC", c) in tuple("=+-@\u2212")
    )
)
# What is cut away before a sign, or not seen: Unicode's Default_Ignorable_Code_Point, too.
IGNORABLE = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
BLANKS = rf"[\s\"'\x00-\x1f\x7f-\x9f{IGNORABLE}]*"
FORMULA = re.compile(rf"[\t\r\n]|{BLANKS}[{re.escape(SIGNS)}]")
# To some a cell begins behind a semicolon or a tab: to Excel where decimals have a comma. And a
# line behind any of Unicode's line breaks.
SEPARATORS = r";,|\t\n-\r\x1c-\x1f\x85\u2028\u2029"
INNER = re.compile(rf"(?<=[{SEPARATORS}])({BLANKS})([{re.escape(SIGNS)}])")
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
    """Return the cell; text that a spreadsheet would run as a formula gets an apostrophe."""
    if not isinstance(cell, str):
        return cell
    start = FORMULA.match(cell)
    begin = start.end() if start else 0
    mark = "'" if start else ""
    return f"{mark}{cell[:begin]}{INNER.sub(_quoted, cell[begin:])}"


def _quoted(found: re.Match[str]) -> str:
    return f"{found[1]}'{found[2]}"


def _taken(line: io.StringIO) -> bytes:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text.encode(errors="replace")  # half of a surrogate pair is no character
