"""Everything before the table of downloads: figures, charts and small tables, as blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jobs.kinds.report.document import charts, text_lines
from jobs.kinds.report.document.by_category import (
    table_by_code,
    table_by_kind,
    table_by_time,
    table_of_largest,
)
from jobs.kinds.report.document.figures import Figures
from jobs.kinds.report.document.labels import (
    downloads_label,
    duration_label,
    file_size_label,
    percentage_label,
    timestamp_label,
)
from jobs.kinds.report.document.pdf_document import BODY, LEFT, RIGHT, SOFT, PdfDocument
from jobs.kinds.report.document.report_input import ReportInput
from jobs.kinds.report.document.tables import GAP, Table
from jobs.kinds.report.document.time_series import time_series

HEADING = 32.0  # points, with a line of small print below it
MASTHEAD = 62.0
FIGURE_SIZES = (18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0)
CHART, LOW_CHART, LABELS = 146.0, 84.0, 16.0


@dataclass(frozen=True)
class Block:
    """Content that stays together on a page; `draw` takes the position of its top."""

    height: float
    draw: Callable[[PdfDocument, float], None]


def summary_blocks(figures: Figures, params: ReportInput) -> Iterator[Block]:
    yield Block(MASTHEAD, lambda pdf, top: _masthead(pdf, top, params))
    if not figures.jobs:
        yield Block(60, _no_downloads)
        return
    yield Block(60, lambda pdf, top: _figures(pdf, top, figures, params))
    yield from _charts(figures)
    yield _section(
        "By kind and status",
        "The status when this report was created.",
        table_by_kind(figures, params),
    )
    if figures.waiting:
        note = "Time until the last attempt started. 95% of downloads waited no longer than p95."
        yield _section("Waiting", note, table_by_time(figures, params, lambda each: each.waiting))
    if figures.running:
        note = "Time from the start of the last attempt to its end."
        yield _section("Running", note, table_by_time(figures, params, lambda each: each.running))
    if figures.failures:
        note = f"Why {downloads_label(figures.failed)} failed."
        yield _section("Failures", note, table_by_code(figures))
    if figures.largest:
        note = "The largest files of this period."
        yield _section("Largest files", note, table_of_largest(figures, params))


def summary_heading(pdf: PdfDocument, top: float, title: str, note: str) -> None:
    """Draw a heading with a note below it, and add it to the outline."""
    pdf.outline_entry(title, top + 6)
    pdf.text(LEFT, top - 11, title, size=11.5, bold=True)
    pdf.text(LEFT, top - 23, note, colour=SOFT)


def _section(title: str, note: str, table: Table) -> Block:
    def draw(pdf: PdfDocument, top: float) -> None:
        summary_heading(pdf, top, title, note)
        table.draw(pdf, top - HEADING)

    return Block(HEADING + table.height, draw)


def _masthead(pdf: PdfDocument, top: float, params: ReportInput) -> None:
    pdf.outline_entry("Summary", top + 20)
    pdf.text(LEFT, top - 6, params.title, size=23, bold=True, fit=RIGHT - LEFT)
    pdf.text(LEFT, top - 25, params.period, size=11)
    made_at = timestamp_label(params.made_at)
    note = f"Created {made_at}. Days and times are in UTC, sizes in decimal units."
    pdf.text(LEFT, top - 40, note, colour=SOFT)
    pdf.rule(top - 54)


def _no_downloads(pdf: PdfDocument, top: float) -> None:
    pdf.text(LEFT, top - 12, "No downloads in this period.", size=13)


def _figures(pdf: PdfDocument, top: float, figures: Figures, params: ReportInput) -> None:
    waiting = figures.waiting
    shown = [
        (f"{figures.jobs:,}", "download" if figures.jobs == 1 else "downloads"),
        (percentage_label(figures.completed, figures.finished), "completion rate"),
        (file_size_label(figures.all.size_bytes), "total file size"),
        (duration_label(waiting.median if waiting else None), "median wait"),
        (duration_label(waiting.p95 if waiting else None), "wait, 95th percentile"),
    ]
    letters = max(
        size for size in FIGURE_SIZES if size == min(FIGURE_SIZES) or _gap(shown, size) >= GAP
    )
    x, gap = LEFT, _gap(shown, letters)
    for (figure, label), width in zip(shown, _widths(shown, letters), strict=True):
        pdf.text(x, top - 16, figure, size=letters, bold=True)
        pdf.text(x, top - 30, label, size=BODY, colour=SOFT)
        x += width + gap
    pdf.text(LEFT, top - 52, _sentence(figures, params), size=BODY, fit=RIGHT - LEFT)


def _gap(shown: Sequence[tuple[str, str]], letters: float) -> float:
    """Return the gap between figures of this size. All use one size; none is cut."""
    return (RIGHT - LEFT - sum(_widths(shown, letters))) / (len(shown) - 1)


def _widths(shown: Sequence[tuple[str, str]], letters: float) -> list[float]:
    return [
        max(
            text_lines.text_line(figure, bold=True).width * letters,
            text_lines.text_line(label).width * BODY,
        )
        for figure, label in shown
    ]


def _sentence(figures: Figures, params: ReportInput) -> str:
    users = f" by {figures.owners:,} {'user' if figures.owners == 1 else 'users'}"
    outcomes = [
        f"{count:,} {style.label}"
        for outcome, style in charts.STYLES.items()
        if (count := figures.all.outcomes[outcome])
    ]
    who = "" if params.owner else users
    return f"{downloads_label(figures.jobs)} requested{who}: {', '.join(outcomes)}."


def _charts(figures: Figures) -> Iterator[Block]:
    series = time_series(figures)
    if any(bar.tally.outcomes.total() for bar in series.bars):
        title = f"Downloads per {series.unit}"
        failed = " The number above a bar is how many failed." if figures.failed else ""
        note = f"By {series.unit} of request.{failed}"

        def outcomes(pdf: PdfDocument, top: float) -> None:
            summary_heading(pdf, top, title, note)
            charts.chart_legend(pdf, top - HEADING - 4, figures)
            charts.outcomes_chart(pdf, top - HEADING - 24, CHART, series)

        yield Block(HEADING + 24 + CHART + LABELS, outcomes)
    if any(bar.tally.size_bytes for bar in series.bars):
        note_on_sizes = f"Total size of the files, by {series.unit} of request."

        def sizes(pdf: PdfDocument, top: float) -> None:
            summary_heading(pdf, top, f"Bytes per {series.unit}", note_on_sizes)
            charts.bytes_chart(pdf, top - HEADING - 8, LOW_CHART, series)

        yield Block(HEADING + 8 + LOW_CHART + LABELS, sizes)
