"""The input of a report: what to report on, and where its rows come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from jobs.kinds.report.document.labels import date_range_label
from jobs.kinds.report.document.report_rows import ReportRow


@dataclass(frozen=True)
class ReportInput:
    """What to report on.

    `owner` is a user name, or empty for a report on all users. `count` is an estimate. `rows`
    returns the rows, newest first. Call it once: a second call may return other rows.
    """

    format: str  # pdf, csv or json
    first_day: date
    last_day: date  # inclusive
    owner: str
    made_at: datetime
    count: int
    rows: Callable[[], Iterator[ReportRow]]
    kind_labels: Mapping[str, str] = field(default_factory=dict)

    def kind_label(self, name: str) -> str:
        return self.kind_labels.get(name, name.capitalize())

    @property
    def title(self) -> str:
        return f"Activity of {self.owner or 'everybody'}"

    @property
    def period(self) -> str:
        return date_range_label(self.first_day, self.last_day)

    @property
    def file_name(self) -> str:
        days = sorted({self.first_day.isoformat(), self.last_day.isoformat()})
        return f"Activity {' to '.join(days)}.{self.format}"
