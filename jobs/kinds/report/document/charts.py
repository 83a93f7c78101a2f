"""Bar charts over time. The value axis starts at zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from jobs.kinds.report.document import text_lines
from jobs.kinds.report.document.figures import Figures, JobOutcome
from jobs.kinds.report.document.labels import number_label
from jobs.kinds.report.document.pdf_document import (
    EDGE,
    FAIL,
    LEFT,
    LINE,
    RIGHT,
    SOFT,
    WHITE,
    WORK,
    Colour,
    PdfDocument,
    pdf_colour,
)
from jobs.kinds.report.document.time_series import TimeSeries
from jobs.lib.file_size import NO_BREAK, UNITS

AXIS = 34.0  # points, for the labels on the left
WIDEST_BAR = 26.0
TICKS = 4
LETTERS = 6.5
LABEL_GAP = 1.5  # between two numbers above bars


@dataclass(frozen=True)
class Style:
    """How an outcome is drawn. Styles also differ in lightness and edge, for black and white."""

    label: str
    fill: Colour
    edge: Colour | None = None


STYLES = {
    JobOutcome.COMPLETED: Style("completed", pdf_colour(0x5C9E79)),
    JobOutcome.CANCELLED: Style("cancelled", WHITE, EDGE),
    JobOutcome.IN_PROGRESS: Style("in progress", pdf_colour(0xD5DDF6), WORK),
    JobOutcome.FAILED: Style("failed", FAIL),
}
BYTES = Style("", WORK)


def chart_legend(pdf: PdfDocument, y: float, figures: Figures) -> None:
    """Draw the legend in the order of the stack, each entry with its number."""
    x = LEFT
    for outcome, style in STYLES.items():
        if not (jobs := figures.all.outcomes[outcome]):
            continue
        pdf.rectangle(x, y - 0.5, 7, 7, style.fill, style.edge)
        x += 11 + pdf.text(x + 11, y, f"{jobs:,} {style.label}", colour=SOFT) + 16


def outcomes_chart(pdf: PdfDocument, top: float, height: float, series: TimeSeries) -> None:
    """Draw the number of downloads, stacked by outcome, with the number of failures above each bar.

    Where two of these numbers would touch, only the higher one is drawn.
    """
    most = max(bar.tally.outcomes.total() for bar in series.bars)
    frame = _Frame(pdf, top - height, height, series, most, lambda value, _: f"{value:,}")
    for number, bar in enumerate(series.bars):
        at = 0
        for outcome, style in STYLES.items():
            if jobs := bar.tally.outcomes[outcome]:
                frame.stack(number, at, at + jobs, style)
                at += jobs
    failed = [bar.tally.outcomes[JobOutcome.FAILED] for bar in series.bars]
    labels = _fitting_labels(failed, frame.slot)
    taken: list[tuple[float, float]] = []
    for number in sorted(range(len(failed)), key=lambda number: -failed[number]):
        left, right = frame.extent(number, labels[number])
        if failed[number] and all(right <= low or left >= high for low, high in taken):
            taken.append((left, right))
            total = series.bars[number].tally.outcomes.total()
            frame.label_above(number, total, labels[number], FAIL)


def _fitting_labels(counts: Sequence[int], room: float) -> list[str]:
    """Return labels in one format: '1,234', or '1.2k' if one of them would be too wide."""
    whole = [f"{count:,}" for count in counts]
    if max(text_lines.text_line(text).width for text in whole) * LETTERS + LABEL_GAP <= room:
        return whole
    return [number_label(count) for count in counts]


def bytes_chart(pdf: PdfDocument, top: float, height: float, series: TimeSeries) -> None:
    most = max(bar.tally.size_bytes for bar in series.bars)
    frame = _Frame(pdf, top - height, height, series, most, _size)
    for number, bar in enumerate(series.bars):
        if size_bytes := bar.tally.size_bytes:
            frame.stack(number, 0, size_bytes, BYTES)


def _size(value: int, highest: int) -> str:
    """Format all values in the unit of the highest, so that they are easy to compare."""
    power = min((len(str(highest)) - 1) // 3, len(UNITS) - 1)
    return f"{value / 1000**power:g}{NO_BREAK}{UNITS[power]}" if value else "0"


class _Frame:
    """The grid and labels of a chart, and the positions of its bars."""

    def __init__(
        self,
        pdf: PdfDocument,
        bottom: float,
        height: float,
        series: TimeSeries,
        most: int,
        value_label: Callable[[int, int], str],
    ) -> None:
        self._pdf, self._bottom = pdf, bottom
        step = _step(most)
        highest = -(-most // step) * step
        self._scale = height / highest
        self.slot = (RIGHT - LEFT - AXIS) / len(series.bars)
        self._bar = min(self.slot * 0.72, WIDEST_BAR)
        for value in range(0, highest + 1, step):
            y = bottom + value * self._scale
            pdf.rule(y, left=LEFT + AXIS, colour=LINE if value else EDGE)
            label = value_label(value, highest)
            pdf.text(LEFT + AXIS - 6, y - 2.2, label, size=LETTERS, colour=SOFT, align="right")
        widest = max(text_lines.text_line(bar.label).width for bar in series.bars) * LETTERS + 8
        every = next(
            (step for step in series.steps if step * self.slot >= widest), series.steps[-1]
        )
        for number, bar in enumerate(series.bars[::every]):
            self._write(number * every, bottom - 10, bar.label, SOFT)

    def stack(self, number: int, low: int, high: int, style: Style) -> None:
        """Draw a segment of a bar from one value to another, high enough to be visible."""
        x = self._middle(number) - self._bar / 2
        y, height = self._bottom + low * self._scale, max((high - low) * self._scale, 0.5)
        self._pdf.rectangle(x, y, self._bar, height, style.fill, style.edge)

    def extent(self, number: int, text: str) -> tuple[float, float]:
        """Return the left and right edge of `text` above a bar, including the gap to the next."""
        half = (text_lines.text_line(text).width * LETTERS + LABEL_GAP) / 2
        middle = self._centre(number, text)
        return middle - half, middle + half

    def label_above(self, number: int, value: int, text: str, colour: Colour) -> None:
        self._write(number, self._bottom + value * self._scale + 2.5, text, colour)

    def _write(self, number: int, y: float, text: str, colour: Colour) -> None:
        x = self._centre(number, text)
        self._pdf.text(x, y, text, size=LETTERS, colour=colour, align="centre")

    def _centre(self, number: int, text: str) -> float:
        """Return the centre of a bar's text, moved so that it stays on the page."""
        return min(self._middle(number), RIGHT - text_lines.text_line(text).width * LETTERS / 2)

    def _middle(self, number: int) -> float:
        return LEFT + AXIS + (number + 0.5) * self.slot


def _step(most: int) -> int:
    """Return the grid step: the smallest of 1, 2, 5, 10, 20 ... that needs at most TICKS lines."""
    steps: Iterator[int] = (lead * 10**power for power in count() for lead in (1, 2, 5))
    return next(step for step in steps if step * TICKS >= most)
