"""Tables: columns, their heads, and rows of a few or of a hundred thousand lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.kinds.report.document.page import EDGE, INK, LEFT, RIGHT, SMALL, SOFT, Colour, Sheets

ROW = 14.5  # points from one line to the next
DROP = 4.5  # of a rule, below the base line of what is above it
GAP = 8.0  # between two columns


@dataclass(frozen=True)
class Column:
    """`width` in points, without the gap after it; 0 for what the others leave."""

    title: str
    width: float = 0
    align: str = "right"  # as numbers are


@dataclass(frozen=True)
class Place:
    """A column on the page."""

    left: float
    width: float
    align: str

    def write(
        self,
        sheets: Sheets,
        y: float,
        text: str,
        *,
        size: float = SMALL,
        bold: bool = False,
        colour: Colour = INK,
    ) -> None:
        x = self.left if self.align == "left" else self.left + self.width
        sheets.text(
            x, y, text, size=size, bold=bold, colour=colour, align=self.align, fit=self.width
        )


@dataclass(frozen=True)
class Cell:
    text: str
    colour: Colour = INK
    bold: bool = False


@dataclass(frozen=True)
class Table:
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    @property
    def height(self) -> float:
        return ROW * (len(self.rows) + 1)

    def draw(self, sheets: Sheets, top: float) -> None:
        places = places_of(self.columns)
        y = top - ROW + DROP
        head(sheets, y, self.columns, places)
        for row in self.rows:
            y -= ROW
            for place, cell in zip(places, row, strict=True):
                place.write(sheets, y, cell.text, bold=cell.bold, colour=cell.colour)
            sheets.rule(y - DROP)


def places_of(columns: Sequence[Column]) -> list[Place]:
    fixed = sum(column.width for column in columns) + GAP * (len(columns) - 1)
    rest = (RIGHT - LEFT - fixed) / max(sum(not column.width for column in columns), 1)
    places, left = [], LEFT
    for column in columns:
        width = column.width or rest
        places.append(Place(left, width, column.align))
        left += width + GAP
    return places


def head(sheets: Sheets, y: float, columns: Sequence[Column], places: Sequence[Place]) -> None:
    for column, place in zip(columns, places, strict=True):
        place.write(sheets, y, column.title, bold=True, colour=SOFT)
    sheets.rule(y - DROP, colour=EDGE)
