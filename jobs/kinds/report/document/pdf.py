"""The report to read and to print.

Text is text, and there are titles, a language and an outline; but it is not tagged, which reportlab
cannot do: a screen reader reads the tables line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jobs.kinds.report.document.all_rows import HEAD, LINE, Everything, pages_of
from jobs.kinds.report.document.figures import Figures
from jobs.kinds.report.document.page import BOTTOM, TOP, Sheets
from jobs.kinds.report.document.rows import ReportParams, Spool
from jobs.kinds.report.document.summary import HEADING, Block, blocks, heading

BETWEEN = 20.0  # points, from one block to the next
LEAST = HEADING + HEAD + 10 * LINE  # the table begins below the last block if there is so much room
WHAT = "The newest first. Waited: until the last attempt began. Ran: from then until it was over."
Step = Callable[[int, int], None]


def draw(params: ReportParams, figures: Figures, rows: Spool, step: Step) -> bytes:
    """`step` hears which page of how many was drawn, and may raise whatever it likes."""
    front, room = _packed(blocks(figures, params))
    goes_on = room >= LEAST  # the table begins where the overview ends
    first_room = room if goes_on else TOP - BOTTOM
    table = pages_of(rows.runs, first_room=first_room - HEADING) if figures.jobs else []
    pages = len(front) + len(table) - (goes_on and bool(table))
    sheets = Sheets(params, pages=pages)
    everything = Everything(sheets, params, iter(rows))
    for placed in front:
        step(sheets.begin(), pages)
        for block, top in placed:
            block.draw(sheets, top)
    for position, parts in enumerate(table):
        is_first = position == 0
        if not (is_first and goes_on):
            step(sheets.begin(), pages)
        top = BOTTOM + first_room if is_first else TOP
        if is_first:
            heading(sheets, top, "All downloads", WHAT)
        everything.draw(parts, top - HEADING if is_first else top)
    return sheets.close()


def _packed(blocks: Iterable[Block]) -> tuple[list[list[tuple[Block, float]]], float]:
    """Which block begins where on which page, and how much room the last page has left."""
    pages: list[list[tuple[Block, float]]] = [[]]
    top = TOP + 20  # of the first page, which has no header
    for block in blocks:
        if top - block.height < BOTTOM:
            pages.append([])
            top = TOP
        pages[-1].append((block, top))
        top -= block.height + BETWEEN
    return pages, top - BOTTOM
