"""Draw tables: columns, their heads, and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.kinds.report.document.pdf_document import (
    EDGE,
    INK,
    LEFT,
    RIGHT,
    SMALL,
    SOFT,
    Colour,
    PdfDocument,
)

ROW = 14.5  # line height, in points
DROP = 4.5  # from a base line down to the rule below it
GAP = 8.0  # between two columns


@dataclass(frozen=True)
class Column:
    """`width` is in points, without the gap after it; 0 means the space that is left."""

    title: str
    width: float = 0
    align: str = "right"  # as for numbers


@dataclass(frozen=True)
class ColumnPosition:
    """Where a column is on the page."""

    left: float
    width: float
    align: str

    def write(
        self,
        pdf: PdfDocument,
        y: float,
        text: str,
        *,
        size: float = SMALL,
        bold: bool = False,
        colour: Colour = INK,
    ) -> None:
        x = self.left if self.align == "left" else self.left + self.width
        pdf.text(x, y, text, size=size, bold=bold, colour=colour, align=self.align, fit=self.width)


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

    def draw(self, pdf: PdfDocument, top: float) -> None:
        positions = column_positions(self.columns)
        y = top - ROW + DROP
        draw_table_head(pdf, y, self.columns, positions)
        for row in self.rows:
            y -= ROW
            for position, cell in zip(positions, row, strict=True):
                position.write(pdf, y, cell.text, bold=cell.bold, colour=cell.colour)
            pdf.rule(y - DROP)


def column_positions(columns: Sequence[Column]) -> list[ColumnPosition]:
    """Return where each column is; columns without a width share the space that is left."""
    fixed = sum(column.width for column in columns) + GAP * (len(columns) - 1)
    rest = (RIGHT - LEFT - fixed) / max(sum(not column.width for column in columns), 1)
    positions, left = [], LEFT
    for column in columns:
        width = column.width or rest
        positions.append(ColumnPosition(left, width, column.align))
        left += width + GAP
    return positions


def draw_table_head(
    pdf: PdfDocument, y: float, columns: Sequence[Column], positions: Sequence[ColumnPosition]
) -> None:
    for column, position in zip(columns, positions, strict=True):
        position.write(pdf, y, column.title, bold=True, colour=SOFT)
    pdf.rule(y - DROP, colour=EDGE)
