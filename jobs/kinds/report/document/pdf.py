"""The report to read and to print: figures, charts, and a table of the newest downloads.

The PDF has text, titles, a language and an outline. It is not tagged, which reportlab cannot do: a
screen reader reads the tables line by line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobs.kinds.report.document.figures import Figures
from jobs.kinds.report.document.newest_rows import HEAD, LINE, NewestRowsTable, paginate_newest_rows
from jobs.kinds.report.document.pdf_document import BOTTOM, LEFT, SOFT, TOP, PdfDocument
from jobs.kinds.report.document.report_input import ReportInput
from jobs.kinds.report.document.report_rows import ReportRow
from jobs.kinds.report.document.summary import HEADING, Block, summary_blocks, summary_heading

PDF_ROWS = 1_000  # about 20 pages
BETWEEN = 20.0  # points between two blocks
# The table begins below the last block if at least this much space is left.
LEAST = HEADING + HEAD + 10 * LINE
COLUMNS = (
    "Newest first. Waited: time until the last attempt started. Ran: time from then until it ended."
)


def draw_pdf(params: ReportInput, figures: Figures, newest: Sequence[ReportRow]) -> bytes:
    """Return the PDF. `newest` are the rows to list; the figures are of all rows."""
    front, room = _packed(summary_blocks(figures, params))
    continues = room >= LEAST  # the table begins on the last page of the summary
    first_room = room if continues else TOP - BOTTOM
    heading_height = HEADING + (LINE if _left_out(figures, newest) else 0)
    table = paginate_newest_rows(newest, first_room=first_room - heading_height) if newest else []
    pdf = PdfDocument(params, pages=len(front) + len(table) - (continues and bool(table)))
    for placed in front:
        pdf.begin_page()
        for block, top in placed:
            block.draw(pdf, top)
    rows_table = NewestRowsTable(pdf, params, figures.days)
    for number, sections in enumerate(table):
        if number or not continues:
            pdf.begin_page()
        top = TOP
        if number == 0:
            _table_heading(pdf, BOTTOM + first_room, figures, newest)
            top = BOTTOM + first_room - heading_height
        rows_table.draw(sections, top)
    return pdf.close()


def _table_heading(
    pdf: PdfDocument, top: float, figures: Figures, newest: Sequence[ReportRow]
) -> None:
    if left_out := _left_out(figures, newest):
        summary_heading(pdf, top, "Newest downloads", COLUMNS)
        older = "download is" if left_out == 1 else "downloads are"
        note = (
            f"These are the newest {len(newest):,}. {left_out:,} older {older} not listed; "
            "the report as CSV or JSON lists all of them."
        )
        pdf.text(LEFT, top - 23 - LINE, note, colour=SOFT)
    else:
        summary_heading(pdf, top, "All downloads", COLUMNS)


def _left_out(figures: Figures, newest: Sequence[ReportRow]) -> int:
    return figures.jobs - len(newest)


def _packed(blocks: Iterable[Block]) -> tuple[list[list[tuple[Block, float]]], float]:
    """Return each page's blocks with their top positions, and the space left on the last page."""
    pages: list[list[tuple[Block, float]]] = [[]]
    top = TOP + 20  # the first page has no header
    for block in blocks:
        if top - block.height < BOTTOM:
            pages.append([])
            top = TOP
        pages[-1].append((block, top))
        top -= block.height + BETWEEN
    return pages, top - BOTTOM
