"""One line of the activity of a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class HistoryLine:
    """One line of the activity. `mark` is 'now', 'ahead' or empty."""

    text: str
    more: str = ""
    icon: str = ""
    at: datetime | None = None
    when: str = ""
    mark: str = ""
