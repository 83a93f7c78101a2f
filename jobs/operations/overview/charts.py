"""The shapes of the overview's charts, for SVG in a box of WIDTH times HEIGHT. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, log10

from django.utils import timezone

from jobs.notifications.alert_conditions import FAILURE_SHARE
from jobs.operations.overview.history import History, Sums
from jobs.operations.overview.texts import share_text

WIDTH, HEIGHT = 480, 100
GAP = 0.2  # of a bar's place
LABELS = 5  # below a chart
STACKED = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class Rectangle:
    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bar:
    """The bar of one step, or one row of the table behind the chart."""

    at: datetime
    label: str
    sums: Sums
    rectangles: list[Rectangle]

    @property
    def failure_text(self) -> str:
        return share_text(self.sums.failure_share)


@dataclass(frozen=True)
class Charts:
    """Finished jobs as stacked bars, and the share of failed ones as a line."""

    bars: list[Bar]
    most: int  # the top of the bars' scale
    share_most: float  # the top of the line's scale
    line: str
    area: str
    limit_y: float
    labels: list[str]

    @property
    def limit_text(self) -> str:
        """The share of failed jobs above which operators are alerted."""
        return share_text(FAILURE_SHARE)

    @property
    def half(self) -> int:
        return self.most // 2

    @property
    def share_labels(self) -> list[str]:
        return [share_text(self.share_most), share_text(self.share_most / 2), "0"]

    @property
    def rows(self) -> list[Bar]:
        """The bars with any jobs, the newest first."""
        return [bar for bar in reversed(self.bars) if bar.sums.has_any]


def make_charts(history: History) -> Charts:
    all_sums = list(history.bars.values())
    most = _round_up(max(_finished(sums) for sums in all_sums))
    share_most = max(2 * FAILURE_SHARE, ceil(10 * max(s.failure_share for s in all_sums)) / 10)
    bars = [
        Bar(at, _label(at, history), sums, _rectangles(sums, number, len(all_sums), most))
        for number, (at, sums) in enumerate(history.bars.items())
    ]
    line = _line([sums.failure_share / share_most for sums in all_sums])
    half = WIDTH / len(bars) / 2
    area = f"{line}L{WIDTH - half:.1f} {HEIGHT}L{half:.1f} {HEIGHT}Z"
    places = [round(n * (len(bars) - 1) / (LABELS - 1)) for n in range(LABELS)]
    return Charts(
        bars, most, share_most, line, area, HEIGHT * (1 - FAILURE_SHARE / share_most),
        [bars[place].label for place in places],
    )  # fmt: skip


def _finished(sums: Sums) -> int:
    return sum(getattr(sums, name) for name in STACKED)


def _round_up(count: int) -> int:
    """Return an even top of a scale: 4, 40, 60, 200 and so on."""
    unit: int = max(10 ** int(log10(max(count, 1))), 2)
    step = unit if count > 2 * unit else unit // 2 or 1
    return max(2 * ceil(count / step / 2) * step, 4)


def _rectangles(sums: Sums, number: int, bars: int, most: int) -> list[Rectangle]:
    place, top = WIDTH / bars, float(HEIGHT)
    found = []
    for name in STACKED:
        if not (height := getattr(sums, name) * HEIGHT / most):
            continue
        top -= height
        x, width = (number + GAP / 2) * place, place * (1 - GAP)
        found.append(Rectangle(name, round(x, 2), round(top, 2), round(width, 2), round(height, 2)))
    return found


def _line(shares: Sequence[float]) -> str:
    place = WIDTH / len(shares)
    points = [
        f"{(number + 0.5) * place:.1f} {HEIGHT * (1 - share):.1f}"
        for number, share in enumerate(shares)
    ]
    return "M" + "L".join(points)


def _label(at: datetime, history: History) -> str:
    local = timezone.localtime(at)
    return f"{local:%a %H:%M}" if history.period.length.days > 1 else f"{local:%H:%M}"
