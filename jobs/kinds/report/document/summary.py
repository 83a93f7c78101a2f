"""What comes before the table of all downloads: figures, charts and small tables, as blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jobs.kinds.report.document import charts, fonts
from jobs.kinds.report.document.by_category import failures, kinds, largest, times
from jobs.kinds.report.document.figures import Figures
from jobs.kinds.report.document.labels import downloads, moment, seconds, share, size
from jobs.kinds.report.document.page import BODY, LEFT, RIGHT, SOFT, Sheets
from jobs.kinds.report.document.rows import ReportParams
from jobs.kinds.report.document.tables import GAP, Table

HEADING = 32.0  # points, with a line of small print below it
MASTHEAD = 62.0
FIGURE_SIZES = (18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0)
CHART, LOW_CHART, LABELS = 146.0, 84.0, 16.0


@dataclass(frozen=True)
class Block:
    """What stays together on a page; `draw` gets where it begins at the top."""

    height: float
    draw: Callable[[Sheets, float], None]


def blocks(figures: Figures, params: ReportParams) -> Iterator[Block]:
    yield Block(MASTHEAD, lambda sheets, top: _masthead(sheets, top, params))
    if not figures.jobs:
        yield Block(60, _nothing)
        return
    yield Block(60, lambda sheets, top: _figures(sheets, top, figures, params))
    yield from _charts(figures)
    yield _section(
        "By kind and status", "Where they stood when this report was made.", kinds(figures)
    )
    if figures.waiting:
        told = "Until the last attempt began. Of 100 downloads, 95 waited no longer than p95."
        yield _section("Waiting", told, times(figures, lambda of: of.waiting))
    if figures.running:
        told = "From the beginning of the last attempt until it was over."
        yield _section("Running", told, times(figures, lambda of: of.running))
    if figures.failures:
        told = f"Why {downloads(figures.failed)} failed."
        yield _section("Failures", told, failures(figures))
    if figures.largest:
        told = "Of all that were made, those that take the most room."
        yield _section("Largest files", told, largest(figures, params))


def heading(sheets: Sheets, top: float, title: str, told: str) -> None:
    sheets.mark(title, top + 6)
    sheets.text(LEFT, top - 11, title, size=11.5, bold=True)
    sheets.text(LEFT, top - 23, told, colour=SOFT)


def _section(title: str, told: str, table: Table) -> Block:
    def draw(sheets: Sheets, top: float) -> None:
        heading(sheets, top, title, told)
        table.draw(sheets, top - HEADING)

    return Block(HEADING + table.height, draw)


def _masthead(sheets: Sheets, top: float, params: ReportParams) -> None:
    sheets.mark("Summary", top + 20)
    sheets.text(LEFT, top - 6, params.title, size=23, bold=True, fit=RIGHT - LEFT)
    sheets.text(LEFT, top - 25, params.period, size=11)
    told = f"Made {moment(params.made_at)}. Days and times are in UTC, sizes in decimal units."
    sheets.text(LEFT, top - 40, told, colour=SOFT)
    sheets.rule(top - 54)


def _nothing(sheets: Sheets, top: float) -> None:
    sheets.text(LEFT, top - 12, "Nothing was asked for in this period.", size=13)
    sheets.text(LEFT, top - 30, "So there is nothing to count, and no table.", size=9, colour=SOFT)


def _figures(sheets: Sheets, top: float, figures: Figures, params: ReportParams) -> None:
    waiting = figures.waiting
    shown = [
        (f"{figures.jobs:,}", "download" if figures.jobs == 1 else "downloads"),
        (share(figures.completed, figures.over), "completed, of those over"),
        (size(figures.all.size_bytes), "made"),
        (seconds(waiting.median if waiting else None), "median wait"),
        (seconds(waiting.p95 if waiting else None), "wait, 95th percentile"),
    ]
    letters = max(
        size for size in FIGURE_SIZES if size == min(FIGURE_SIZES) or _gap(shown, size) >= GAP
    )
    x, gap = LEFT, _gap(shown, letters)
    for (figure, told), width in zip(shown, _widths(shown, letters), strict=True):
        sheets.text(x, top - 16, figure, size=letters, bold=True)
        sheets.text(x, top - 30, told, size=BODY, colour=SOFT)
        x += width + gap
    sheets.text(LEFT, top - 52, _sentence(figures, params), size=BODY, fit=RIGHT - LEFT)


def _gap(shown: Sequence[tuple[str, str]], letters: float) -> float:
    """Return the gap between figures of this size. All use one size; none is cut."""
    return (RIGHT - LEFT - sum(_widths(shown, letters))) / (len(shown) - 1)


def _widths(shown: Sequence[tuple[str, str]], letters: float) -> list[float]:
    return [
        max(fonts.line(figure, bold=True).width * letters, fonts.line(told).width * BODY)
        for figure, told in shown
    ]


def _sentence(figures: Figures, params: ReportParams) -> str:
    by = f" by {figures.owners:,} {'user' if figures.owners == 1 else 'users'}"
    outcomes = [
        f"{count:,} {style.word}"
        for outcome, style in charts.STYLES.items()
        if (count := figures.all.outcomes[outcome])
    ]
    asked = f"{downloads(figures.jobs)} asked for{'' if params.owner else by}"
    return f"{asked}: {', '.join(outcomes)}."


def _charts(figures: Figures) -> Iterator[Block]:
    bars = charts.bars_of(figures)
    if any(bar.tally.outcomes.total() for bar in bars.bars):
        title = f"Downloads per {bars.unit}"
        failed = " The number over a bar is how many failed." if figures.failed else ""
        told = f"By the {bars.unit} they were asked for.{failed}"

        def outcomes(sheets: Sheets, top: float) -> None:
            heading(sheets, top, title, told)
            charts.legend(sheets, top - HEADING - 4, figures)
            charts.outcomes_chart(sheets, top - HEADING - 24, CHART, bars)

        yield Block(HEADING + 24 + CHART + LABELS, outcomes)
    if any(bar.tally.size_bytes for bar in bars.bars):
        told_bytes = f"The size of what was made, by the {bars.unit} it was asked for."

        def sizes(sheets: Sheets, top: float) -> None:
            heading(sheets, top, f"Bytes per {bars.unit}", told_bytes)
            charts.bytes_chart(sheets, top - HEADING - 8, LOW_CHART, bars)

        yield Block(HEADING + 8 + LOW_CHART + LABELS, sizes)
