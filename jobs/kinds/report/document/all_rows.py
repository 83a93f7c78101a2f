"""The table of all downloads: thousands of pages, drawn line by line, a heading for each day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from jobs.kinds.report.document.labels import (
    STATUSES,
    clock,
    day,
    downloads,
    kind_of,
    named,
    seconds,
    size,
)
from jobs.kinds.report.document.page import (
    BOTTOM,
    FAIL,
    INK,
    LEFT,
    READY,
    SOFT,
    TOP,
    Colour,
    Sheets,
)
from jobs.kinds.report.document.rows import ReportParams, Row
from jobs.kinds.report.document.tables import DROP, Column, head, places_of
from jobs.states import Status

LINE = 12.0  # points
SIZE = 7.2
DAY_LINES = 2  # of a day's heading, with the space above it
HEAD = 16.0  # of the columns
COLOURS: dict[str, Colour] = {Status.FAILED: FAIL, Status.COMPLETED: READY}


@dataclass(frozen=True, slots=True)
class Part:
    """Downloads of one day that are on one page."""

    day: date
    count: int
    of_day: int
    continued: bool


def pages_of(runs: list[tuple[date, int]], *, first_room: float) -> list[list[Part]]:
    """What is on which page; there are so many points left on the first one."""
    pages: list[list[Part]] = [[]]
    lines = _lines(first_room)
    for date_, of_day in runs:
        rest = of_day
        while rest:
            if lines <= DAY_LINES:
                pages.append([])
                lines = _lines(TOP - BOTTOM)
            count = min(rest, lines - DAY_LINES)
            pages[-1].append(Part(date_, count, of_day, continued=rest < of_day))
            lines -= count + DAY_LINES
            rest -= count
    return pages


def _lines(room: float) -> int:
    return int((room - HEAD) / LINE)


class Everything:
    """Draws one page after the other, from rows that come in the order of the parts."""

    def __init__(self, sheets: Sheets, params: ReportParams, rows: Iterator[Row]) -> None:
        self._sheets, self._rows = sheets, rows
        self._owners = not params.owner
        self._columns = list(_columns(owners=self._owners))
        self._places = places_of(self._columns)
        self._marked: set[date] = set()

    def draw(self, parts: list[Part], top: float) -> None:
        y = top - HEAD + DROP
        head(self._sheets, y, self._columns, self._places)
        for part in parts:
            y -= LINE * DAY_LINES
            self._name(part, y + 1)
            for row in islice(self._rows, part.count):
                y -= LINE
                self._row(row, y)

    def _name(self, part: Part, y: float) -> None:
        told = "continued" if part.continued else downloads(part.of_day)
        if part.day not in self._marked:  # if they are not in order, once nevertheless
            self._marked.add(part.day)
            self._sheets.mark(day(part.day), y + LINE, level=1)
        width = self._sheets.text(LEFT, y, day(part.day), bold=True)
        self._sheets.text(LEFT + width + 6, y, told, colour=SOFT)
        self._sheets.rule(y - DROP)

    def _row(self, row: Row, y: float) -> None:
        cells = [(clock(row.created_at), SOFT), (named(row.name), INK)]
        if self._owners:
            cells.append((row.owner, INK))
        cells += [
            (kind_of(row.kind), INK),
            (_standing(row), COLOURS.get(row.status, SOFT)),
            (size(row.size_bytes), INK),
            (seconds(row.waited_seconds), INK),
            (seconds(row.ran_seconds), INK),
        ]
        for place, (text, colour) in zip(self._places, cells, strict=True):
            place.write(self._sheets, y, text, size=SIZE, colour=colour)
        self._sheets.rule(y - 3.6)


def _columns(*, owners: bool) -> Iterator[Column]:
    yield Column("Asked for", 36, "left")
    yield Column("File", align="left")
    if owners:
        yield Column("Owner", 60, "left")
    yield Column("Kind", 28, "left")
    yield Column("Status", 104, "left")
    yield Column("Size", 40)
    yield Column("Waited", 44)
    yield Column("Ran", 44)


def _standing(row: Row) -> str:
    word = STATUSES.get(row.status, row.status)
    return f"{word}: {row.error_code}" if row.error_code else word
