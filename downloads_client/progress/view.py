"""The texts of one update of the progress."""

from __future__ import annotations

from dataclasses import dataclass

from downloads_client import formatting
from downloads_client.service_responses import JobResponse


@dataclass(frozen=True)
class ProgressView:
    """The texts of one update. `share` is None if the total is unknown; `sizes` may be empty."""

    phase: str
    share: float | None
    sizes: str
    speed: str = ""
    connections: str = ""
    left: str = ""
    note: str = ""

    @property
    def percent(self) -> str:
        """Rounded down: 100% only when everything is there."""
        return "" if self.share is None else f"{int(self.share * 100):3}%"

    @property
    def digits(self) -> str:
        """The first two digits of the amount. Without a total, a line is due when they change."""
        return self.sizes.replace(".", "")[:2]

    @property
    def columns(self) -> list[str]:
        return [self.percent, self.sizes, self.speed, self.connections, self.left]


def fit_view_columns(view: ProgressView, width: int) -> list[str]:
    """Return the columns that fit, in their order; the least important are left out first."""
    chosen = [view.percent or view.sizes]
    for column in (view.left, view.sizes, view.speed, view.connections):
        if column and column not in chosen and len(" ".join([*chosen, column])) <= width:
            chosen.append(column)
    return [column for column in view.columns if column and column in chosen]


def sizes_text(job: JobResponse) -> str:
    """Return the sizes, or nothing before the work begins: the unit is not known then."""
    begun = job.done or job.total is not None
    return formatting.format_amount(job.done, job.total, job.unit) if begun else ""


def speed_text(speed: float | None) -> str:
    return f"{formatting.format_size(speed)}/s" if speed else ""


def left_text(seconds: float | None) -> str:
    return f"{formatting.format_clock(seconds)} left" if seconds is not None else ""
