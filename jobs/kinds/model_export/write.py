"""Write rows as CSV or as an Excel workbook, in batches."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from itertools import islice
from typing import Any, NamedTuple

from jobs.lib.csv_cells import escaped_cell
from jobs.workspace import CHUNK_BYTES, Workspace

READ_AT_ONCE = 2_000  # rows from the database
ROWS = 500  # written at once
MARK = "\ufeff"  # without it, Excel reads UTF-8 as another encoding
NUMBER = re.compile(r"-[0-9]+([.,][0-9]+)*")
MAX_SHEET_ROWS = 1_048_575  # of a worksheet, below the header
Row = Sequence[Any]


class Format(NamedTuple):
    label: str
    content_type: str


FORMATS = {
    "csv": Format("CSV", "text/csv"),
    "xlsx": Format(
        "Excel workbook", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ),
}


@dataclass(frozen=True)
class ModelRows:
    format: str
    title: str
    header: Sequence[str]
    count: int
    rows: Iterable[Row]


def available_formats() -> list[str]:
    """Return the formats whose library is installed."""
    return [name for name in FORMATS if name != "xlsx" or find_spec("xlsxwriter")]


def write_rows(export: ModelRows, work: Workspace) -> None:
    work.plan(export.count, "rows")
    if export.format == "csv":
        _write_csv(export, work)
    else:
        _write_workbook(export, work)


def _write_csv(export: ModelRows, work: Workspace) -> None:
    work.output.write((MARK + _lines([export.header])).encode())
    for batch in _batches(export.rows):
        work.output.write(_lines(batch).encode())
        work.advance(len(batch))


def _lines(rows: Iterable[Row]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(map(_csv_cell, row) for row in rows)
    return text.getvalue()


def _csv_cell(value: Any) -> Any:
    """Escape text, but not the negative numbers that resources write as text."""
    is_number = isinstance(value, str) and NUMBER.fullmatch(value)
    return value if is_number else escaped_cell(value)


def _write_workbook(export: ModelRows, work: Workspace) -> None:
    """Write to a file in scratch first: a workbook is a zip whose parts are known at the end."""
    from xlsxwriter import Workbook

    path = work.scratch / "export.xlsx"
    options = {
        "constant_memory": True,
        "remove_timezone": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    with Workbook(path, options) as workbook:
        sheet, below = None, MAX_SHEET_ROWS
        for batch in _batches(export.rows):
            for row in batch:
                if sheet is None or below == MAX_SHEET_ROWS:
                    sheet, below = workbook.add_worksheet(), 0
                    sheet.write_row(0, 0, export.header)
                below += 1
                sheet.write_row(below, 0, [_cell(value) for value in row])
            work.advance(len(batch))
        if sheet is None:
            workbook.add_worksheet().write_row(0, 0, export.header)
    work.say("Storing the workbook")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            work.output.write(chunk)


def _cell(value: Any) -> Any:
    """Return a value that a worksheet can hold: others become text."""
    simple = (str, int, float, bool, Decimal, type(None))
    return value if isinstance(value, simple) or hasattr(value, "isoformat") else str(value)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS)):
        yield batch
