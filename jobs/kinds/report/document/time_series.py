"""The bars of a chart: one for each hour, day or week of the period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from jobs.kinds.report.document.figures import Figures, FigureTally
from jobs.lib.file_size import NO_BREAK

MAX_DAYS = 92  # a longer period has a bar for each week


@dataclass(frozen=True)
class ChartBar:
    label: str
    tally: FigureTally


@dataclass(frozen=True)
class TimeSeries:
    """One bar for each `unit` of time; `steps` are the intervals at which bars may be labelled."""

    unit: str
    steps: tuple[int, ...]
    bars: list[ChartBar]


def time_series(figures: Figures) -> TimeSeries:
    """Return a bar for each hour of one day, each day of up to 92, or each week from Monday."""
    days = figures.days
    if len(days) == 1:
        hours = [ChartBar(f"{hour}:00", tally) for hour, tally in enumerate(figures.hours)]
        return TimeSeries("hour", (1, 2, 3, 6), hours)
    if len(days) <= MAX_DAYS:
        return TimeSeries(
            "day", (1, 2, 7, 14), [ChartBar(_label(day), tally) for day, tally in days.items()]
        )
    weeks: dict[date, FigureTally] = {}
    for day, tally in days.items():
        monday = day - timedelta(day.weekday())
        weeks[monday] = weeks.get(monday, FigureTally()) + tally
    first = next(iter(days))
    bars = [ChartBar(_label(max(monday, first)), tally) for monday, tally in weeks.items()]
    return TimeSeries("week", (1, 2, 4, 8), bars)


def _label(day: date) -> str:
    return f"{day.day}{NO_BREAK}{day:%b}"
