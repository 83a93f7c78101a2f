"""Bars over time, drawn by hand: an axis that begins at nought, few lines, numbers in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count

from jobs.kinds.report.document import fonts
from jobs.kinds.report.document.figures import Figures, Outcome, Tally
from jobs.kinds.report.document.labels import NO_BREAK, UNITS, short
from jobs.kinds.report.document.page import (
    EDGE,
    FAIL,
    LEFT,
    LINE,
    RIGHT,
    SOFT,
    WHITE,
    WORK,
    Colour,
    Sheets,
    rgb,
)

AXIS = 34.0  # points, for the numbers at the left
WIDEST_BAR = 26.0
LONGEST_IN_DAYS = 92  # a longer period is told in weeks
TICKS = 4
LETTERS = 6.5
APART = 1.5  # between two numbers


@dataclass(frozen=True)
class Style:
    """They differ in lightness and edge, too: some see no colours, and some printers have none."""

    word: str
    fill: Colour
    edge: Colour | None = None


STYLES = {
    Outcome.COMPLETED: Style("completed", rgb(0x5C9E79)),
    Outcome.CANCELLED: Style("cancelled", WHITE, EDGE),
    Outcome.GOING: Style("still going", rgb(0xD5DDF6), WORK),
    Outcome.FAILED: Style("failed", FAIL),
}
BYTES = Style("", WORK)


@dataclass(frozen=True)
class Bar:
    label: str
    tally: Tally


@dataclass(frozen=True)
class Bars:
    """`unit` is what one bar stands for; every so many of them may have a label."""

    unit: str
    steps: tuple[int, ...]
    bars: list[Bar]


def bars_of(figures: Figures) -> Bars:
    """Of a day its hours, of up to three months their days, else weeks, which begin on Mondays."""
    days = figures.days
    if len(days) == 1:
        hours = [Bar(f"{hour}:00", tally) for hour, tally in enumerate(figures.hours)]
        return Bars("hour", (1, 2, 3, 6), hours)
    if len(days) <= LONGEST_IN_DAYS:
        return Bars("day", (1, 2, 7, 14), [Bar(_label(day), tally) for day, tally in days.items()])
    weeks: dict[date, Tally] = {}
    for day, tally in days.items():
        monday = day - timedelta(day.weekday())
        weeks[monday] = weeks.get(monday, Tally()) + tally
    first = next(iter(days))
    bars = [Bar(_label(max(monday, first)), tally) for monday, tally in weeks.items()]
    return Bars("week", (1, 2, 4, 8), bars)


def _label(day: date) -> str:
    return f"{day.day}{NO_BREAK}{day:%b}"


def legend(sheets: Sheets, y: float, figures: Figures) -> None:
    """In the order of the stack, each with its number."""
    x = LEFT
    for outcome, style in STYLES.items():
        if not (jobs := figures.all.outcomes[outcome]):
            continue
        sheets.box(x, y - 0.5, 7, 7, style.fill, style.edge)
        x += 11 + sheets.text(x + 11, y, f"{jobs:,} {style.word}", colour=SOFT) + 16


def outcomes_chart(sheets: Sheets, top: float, height: float, bars: Bars) -> None:
    """How many, stacked. The number over a bar tells how many of it have failed.

    Where they would touch each other the highest are shown.
    """
    most = max(bar.tally.outcomes.total() for bar in bars.bars)
    frame = _Frame(sheets, top - height, height, bars, most, lambda value, _: f"{value:,}")
    for number, bar in enumerate(bars.bars):
        at = 0
        for outcome, style in STYLES.items():
            if jobs := bar.tally.outcomes[outcome]:
                frame.stack(number, at, at + jobs, style)
                at += jobs
    failed = [bar.tally.outcomes[Outcome.FAILED] for bar in bars.bars]
    told = _fewest_letters(failed, frame.slot)
    taken: list[tuple[float, float]] = []
    for number in sorted(range(len(failed)), key=lambda number: -failed[number]):
        left, right = frame.room(number, told[number])
        if failed[number] and all(right <= low or left >= high for low, high in taken):
            taken.append((left, right))
            frame.over(number, bars.bars[number].tally.outcomes.total(), told[number], FAIL)


def _fewest_letters(counts: Sequence[int], room: float) -> list[str]:
    """All in one way: '1,234', or '1.2k' where that is too wide for one of them."""
    whole = [f"{count:,}" for count in counts]
    if max(fonts.line(text).width for text in whole) * LETTERS + APART <= room:
        return whole
    return [short(count) for count in counts]


def bytes_chart(sheets: Sheets, top: float, height: float, bars: Bars) -> None:
    most = max(bar.tally.size_bytes for bar in bars.bars)
    frame = _Frame(sheets, top - height, height, bars, most, _size)
    for number, bar in enumerate(bars.bars):
        if size_bytes := bar.tally.size_bytes:
            frame.stack(number, 0, size_bytes, BYTES)


def _size(value: int, highest: int) -> str:
    """In the unit of the highest, so that they can be compared at a glance."""
    power = min((len(str(highest)) - 1) // 3, len(UNITS) - 1)
    return f"{value / 1000**power:g}{NO_BREAK}{UNITS[power]}" if value else "0"


class _Frame:
    """The lines and labels of a chart, and where its bars go."""

    def __init__(
        self,
        sheets: Sheets,
        bottom: float,
        height: float,
        bars: Bars,
        most: int,
        told: Callable[[int, int], str],
    ) -> None:
        self._sheets, self._bottom = sheets, bottom
        step = _step(most)
        highest = -(-most // step) * step
        self._scale = height / highest
        self.slot = (RIGHT - LEFT - AXIS) / len(bars.bars)
        self._bar = min(self.slot * 0.72, WIDEST_BAR)
        for value in range(0, highest + 1, step):
            y = bottom + value * self._scale
            sheets.rule(y, left=LEFT + AXIS, colour=LINE if value else EDGE)
            label = told(value, highest)
            sheets.text(LEFT + AXIS - 6, y - 2.2, label, size=LETTERS, colour=SOFT, align="right")
        widest = max(fonts.line(bar.label).width for bar in bars.bars) * LETTERS + 8
        every = next((step for step in bars.steps if step * self.slot >= widest), bars.steps[-1])
        for number, bar in enumerate(bars.bars[::every]):
            self._write(number * every, bottom - 10, bar.label, SOFT)

    def stack(self, number: int, low: int, high: int, style: Style) -> None:
        """One piece of a bar, from one value to another; never too low to be seen."""
        x = self._middle(number) - self._bar / 2
        y, height = self._bottom + low * self._scale, max((high - low) * self._scale, 0.5)
        self._sheets.box(x, y, self._bar, height, style.fill, style.edge)

    def room(self, number: int, text: str) -> tuple[float, float]:
        """From where to where `text` over a bar reaches, with what parts it from the next."""
        half = (fonts.line(text).width * LETTERS + APART) / 2
        middle = self._centre(number, text)
        return middle - half, middle + half

    def over(self, number: int, value: int, text: str, colour: Colour) -> None:
        self._write(number, self._bottom + value * self._scale + 2.5, text, colour)

    def _write(self, number: int, y: float, text: str, colour: Colour) -> None:
        x = self._centre(number, text)
        self._sheets.text(x, y, text, size=LETTERS, colour=colour, align="centre")

    def _centre(self, number: int, text: str) -> float:
        """Of a text at a bar, which may not leave the page."""
        return min(self._middle(number), RIGHT - fonts.line(text).width * LETTERS / 2)

    def _middle(self, number: int) -> float:
        return LEFT + AXIS + (number + 0.5) * self.slot


def _step(most: int) -> int:
    """From one line to the next: the least of 1, 2, 5, 10, 20 ... that needs no more than TICKS."""
    steps: Iterator[int] = (lead * 10**power for power in count() for lead in (1, 2, 5))
    return next(step for step in steps if step * TICKS >= most)
