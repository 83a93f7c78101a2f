"""The periods that the overview can show, and the bars of their charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2000, 1, 3, tzinfo=UTC)  # bars begin at multiples of their width since then


@dataclass(frozen=True)
class TimeRange:
    """A length of time until now, and the width of a bar."""

    name: str  # in the URL
    label: str
    length: timedelta
    step: timedelta
    step_label: str

    def starts(self, now: datetime) -> list[datetime]:
        """Return where the bars begin; the last one contains `now`."""
        last = EPOCH + (now - EPOCH) // self.step * self.step
        count = self.length // self.step
        return [last - self.step * (count - 1 - number) for number in range(count)]


PERIODS = {
    period.name: period
    for period in (
        TimeRange("1h", "1 hour", timedelta(hours=1), timedelta(minutes=1), "minute"),
        TimeRange("24h", "24 hours", timedelta(hours=24), timedelta(minutes=30), "half hour"),
        TimeRange("7d", "7 days", timedelta(days=7), timedelta(hours=3), "3 hours"),
    )
}
USUAL_PERIOD = PERIODS["24h"]


def period_of(query: Mapping[str, str]) -> TimeRange:
    """Return the period in the URL's query, or the usual one."""
    return PERIODS.get(query.get("range", ""), USUAL_PERIOD)
