"""Kind `report`: the downloads of a period, as a PDF to print, or as CSV or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobs.kinds.report.document import (
    PDF_ROWS,
    FigureAggregator,
    ReportInput,
    ReportRow,
    RowSpool,
    csv_lines,
    draw_pdf,
    json_lines,
)
from jobs.workspace import CHUNK_BYTES, Workspace

__all__ = ["ReportInput", "build_report"]

TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
ROWS = 250  # between two progress updates
PIECE_BYTES = 64 * 1024
READING = 0.25  # of the work for JSON; the rest is writing


def build_report(params: ReportInput, work: Workspace) -> None:
    """Write the report. The rows are read once.

    CSV is written while the rows are read. The other formats begin with the figures: for JSON all
    rows are kept on disk until then, for PDF the newest ones in memory.
    """
    work.describe(name=params.file_name, content_type=TYPES[params.format])
    work.plan(params.count, "jobs")
    progress = _Progress(work, params.count)
    if params.format == "csv":
        _write(work, csv_lines(progress.read(params.rows(), until=1)))
    elif params.format == "json":
        _write_json(params, progress)
    else:
        _write_pdf(params, progress)
    progress.reach(1)


def _write_json(params: ReportInput, progress: _Progress) -> None:
    aggregator = FigureAggregator(params.first_day, params.last_day)
    with RowSpool(progress.work.scratch) as spool:
        for row in progress.read(params.rows(), until=READING):
            aggregator.add(row)
            spool.add(row)
        progress.work.say("Computing the figures")
        figures = aggregator.figures()
        progress.work.say("Writing the file")
        rows = progress.write(spool, figures.jobs)
        _write(progress.work, json_lines(params, figures, rows))


def _write_pdf(params: ReportInput, progress: _Progress) -> None:
    aggregator = FigureAggregator(params.first_day, params.last_day)
    newest: list[ReportRow] = []
    for row in progress.read(params.rows(), until=1):
        aggregator.add(row)
        if len(newest) < PDF_ROWS:
            newest.append(row)
    progress.work.say("Computing the figures")
    figures = aggregator.figures()
    progress.work.say("Drawing the pages")
    _write(progress.work, _chunks(draw_pdf(params, figures, newest)))


class _Progress:
    """Report progress in jobs: part of each job when it is read, the rest when it is written."""

    def __init__(self, work: Workspace, count: int) -> None:
        self.work = work
        self._count, self._done = count, 0

    def read(self, rows: Iterable[ReportRow], *, until: float) -> Iterator[ReportRow]:
        """Yield the rows; progress ends at `until`, a share of the whole work."""
        self.work.say("Reading the jobs")
        for number, row in enumerate(rows, 1):
            yield row
            if number % ROWS == 0:
                count = max(self._count, number)  # the planned count was an estimate
                self.work.say(f"Reading the jobs: {number:,} of {count:,}")
                self.reach(until * number / count)

    def write(self, rows: Iterable[ReportRow], count: int) -> Iterator[ReportRow]:
        """Yield the rows; progress goes on from where reading ended."""
        for number, row in enumerate(rows, 1):
            yield row
            if number % ROWS == 0:
                self.reach(READING + (1 - READING) * number / count)

    def reach(self, share: float) -> None:
        """Advance to this share of the work. May raise Interrupted."""
        due = int(self._count * share)
        if due > self._done:
            self.work.advance(due - self._done)
            self._done = due


def _write(work: Workspace, lines: Iterable[bytes]) -> None:
    """Write the lines, buffered: each write is hashed."""
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
