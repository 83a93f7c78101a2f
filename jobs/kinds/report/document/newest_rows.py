"""The table of the newest downloads, with a heading for each day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from jobs.kinds.report.document.figures import FigureTally
from jobs.kinds.report.document.labels import (
    STATUSES,
    date_label,
    downloads_label,
    duration_label,
    file_size_label,
    name_label,
    time_label,
)
from jobs.kinds.report.document.pdf_document import (
    BOTTOM,
    FAIL,
    INK,
    LEFT,
    READY,
    SOFT,
    TOP,
    Colour,
    PdfDocument,
)
from jobs.kinds.report.document.report_input import ReportInput
from jobs.kinds.report.document.report_rows import ReportRow
from jobs.kinds.report.document.tables import DROP, Column, column_positions, draw_table_head
from jobs.states import Status

LINE = 12.0  # points
SIZE = 7.2
DAY_LINES = 2  # height of a day's heading, with the space above it
HEAD = 16.0  # height of the column heads
COLOURS: dict[str, Colour] = {Status.FAILED: FAIL, Status.COMPLETED: READY}


@dataclass(frozen=True, slots=True)
class DaySection:
    """The downloads of one day on one page."""

    day: date
    rows: Sequence[ReportRow]
    continued: bool  # from the page before


def paginate_newest_rows(rows: Sequence[ReportRow], *, first_room: float) -> list[list[DaySection]]:
    """Return the sections of each page. `first_room` is the space on the first page, in points."""
    pages: list[list[DaySection]] = [[]]
    lines = _lines(first_room)
    for day, group in groupby(rows, lambda row: row.day):
        rest, continued = list(group), False
        while rest:
            if lines <= DAY_LINES:
                pages.append([])
                lines = _lines(TOP - BOTTOM)
            here = rest[: lines - DAY_LINES]
            pages[-1].append(DaySection(day, here, continued))
            lines -= len(here) + DAY_LINES
            rest, continued = rest[len(here) :], True
    return pages


def _lines(room: float) -> int:
    return int((room - HEAD) / LINE)


class NewestRowsTable:
    """Draws the table, one page at a time. `days` has the totals for the headings."""

    def __init__(
        self, pdf: PdfDocument, params: ReportInput, days: Mapping[date, FigureTally]
    ) -> None:
        self._pdf, self._days = pdf, days
        self._kind_label = params.kind_label
        self._has_owners = not params.owner
        self._columns = list(_columns(owners=self._has_owners))
        self._positions = column_positions(self._columns)
        self._in_outline: set[date] = set()

    def draw(self, sections: Sequence[DaySection], top: float) -> None:
        y = top - HEAD + DROP
        draw_table_head(self._pdf, y, self._columns, self._positions)
        for section in sections:
            y -= LINE * DAY_LINES
            self._draw_heading(section, y + 1)
            for row in section.rows:
                y -= LINE
                self._draw_row(row, y)

    def _draw_heading(self, section: DaySection, y: float) -> None:
        day = section.day
        if day not in self._in_outline:  # once, even if the rows are not in order
            self._in_outline.add(day)
            self._pdf.outline_entry(date_label(day), y + LINE, level=1)
        width = self._pdf.text(LEFT, y, date_label(day), bold=True)
        total = self._days[day].outcomes.total() if day in self._days else len(section.rows)
        note = "continued" if section.continued else downloads_label(total)
        self._pdf.text(LEFT + width + 6, y, note, colour=SOFT)
        self._pdf.rule(y - DROP)

    def _draw_row(self, row: ReportRow, y: float) -> None:
        cells = [(time_label(row.created_at), SOFT), (name_label(row.name), INK)]
        if self._has_owners:
            cells.append((row.owner, INK))
        cells += [
            (self._kind_label(row.kind), INK),
            (_status_text(row), COLOURS.get(row.status, SOFT)),
            (file_size_label(row.size_bytes), INK),
            (duration_label(row.waited_seconds), INK),
            (duration_label(row.ran_seconds), INK),
        ]
        for position, (text, colour) in zip(self._positions, cells, strict=True):
            position.write(self._pdf, y, text, size=SIZE, colour=colour)
        self._pdf.rule(y - 3.6)


def _columns(*, owners: bool) -> Iterator[Column]:
    yield Column("Requested", 42, "left")
    yield Column("File", align="left")
    if owners:
        yield Column("Owner", 60, "left")
    yield Column("Kind", 28, "left")
    yield Column("Status", 104, "left")
    yield Column("Size", 40)
    yield Column("Waited", 44)
    yield Column("Ran", 44)


def _status_text(row: ReportRow) -> str:
    word = STATUSES.get(row.status, row.status)
    return f"{word}: {row.error_code}" if row.error_code else word
