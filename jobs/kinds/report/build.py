"""Kind `report`: what was asked for in a period, as a PDF to print, or as CSV or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobs.kinds.report.document import (
    Counting,
    ReportParams,
    Row,
    Spool,
    csv_lines,
    draw,
    json_lines,
)
from jobs.workspace import CHUNK_BYTES, Workspace

__all__ = ["ReportParams", "build"]

TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
ROWS = 250  # from one look at how far it is to the next
PIECE_BYTES = 64 * 1024
READING = 0.25  # of the work; the rest is to draw what was read


def build(params: ReportParams, work: Workspace) -> None:
    """The rows are read once. As CSV they go on as they come; else they are kept on disk, because
    their figures come first."""
    work.describe(name=params.file_name, content_type=TYPES[params.format])
    work.plan(params.count, "jobs")
    way = _Way(work, params.count)
    if params.format == "csv":
        _write(work, csv_lines(way.read(params.rows(), until=1)))
    else:
        with Spool(work.scratch) as spool:
            _tell(params, spool, way)
    way.reach(1)


def _tell(params: ReportParams, spool: Spool, way: _Way) -> None:
    """The figures, and then the rows that they are of."""
    counting = Counting(params.first_day, params.last_day)
    for row in way.read(params.rows(), until=READING):
        counting.add(row)
        spool.add(row)
    way.work.say("Computing the figures")
    figures = counting.figures()
    if params.format == "json":
        way.work.say("Writing the file")
        rows = way.write(spool, figures.jobs)
        _write(way.work, json_lines(params, figures, rows))
    else:
        way.work.say("Drawing the pages")
        _write(way.work, _chunks(draw(params, figures, spool, way.drawn)))


class _Way:
    """How far it is, in jobs. A part of each is done when it is read, the rest when it is drawn."""

    def __init__(self, work: Workspace, count: int) -> None:
        self.work = work
        self._count, self._done = count, 0

    def read(self, rows: Iterable[Row], *, until: float) -> Iterator[Row]:
        self.work.say("Reading the jobs")
        for number, row in enumerate(rows, 1):
            yield row
            if number % ROWS == 0:
                count = max(self._count, number)  # it was a guess
                self.work.say(f"Reading the jobs: {number:,} of {count:,}")
                self.reach(until * number / count)

    def write(self, rows: Iterable[Row], count: int) -> Iterator[Row]:
        for number, row in enumerate(rows, 1):
            yield row
            if number % ROWS == 0:
                self.reach(READING + (1 - READING) * number / count)

    def drawn(self, page: int, pages: int) -> None:
        self.work.say(f"Drawing page {page:,} of {pages:,}")
        self.reach(READING + (1 - READING) * page / pages)

    def reach(self, share: float) -> None:
        """May raise Interrupted."""
        due = int(self._count * share)
        if due > self._done:
            self.work.advance(due - self._done)
            self._done = due


def _write(work: Workspace, lines: Iterable[bytes]) -> None:
    """In pieces that are worth a hash."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= PIECE_BYTES:
            work.output.write(bytes(piece))
            piece.clear()
    if piece:
        work.output.write(bytes(piece))


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
