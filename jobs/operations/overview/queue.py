"""What waits, what runs and how long it takes, by kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jobs.engine.statistics import ACTIVE_COUNTS, active_jobs_by_kind
from jobs.kinds.registry import KINDS
from jobs.notifications.alert_conditions import OLDEST_SECONDS
from jobs.operations.overview.history import History, Latencies, Sums
from jobs.operations.overview.links import jobs_link
from jobs.operations.overview.texts import percentiles_text, seconds_text
from jobs.states import Status

NUMBERS = [name for name in ACTIVE_COUNTS if name != "oldest"]
AGES = ["oldest", "longest_wait"]


@dataclass(frozen=True)
class QueueRow:
    """The jobs of a kind, or of all kinds if `kind` is empty."""

    kind: str
    label: str
    active: dict[str, Any]
    sums: Sums
    latencies: Latencies
    period: str

    @property
    def usual(self) -> int:
        """The number of due jobs with the usual priority."""
        return int(self.active["due"] - self.active["high"] - self.active["low"])

    @property
    def oldest_text(self) -> str:
        oldest = self.active["oldest"]
        return seconds_text(oldest and oldest.total_seconds())

    @property
    def waits_too_long(self) -> bool:
        wait = self.active["longest_wait"]
        return bool(wait and wait.total_seconds() > OLDEST_SECONDS)

    @property
    def times(self) -> list[str]:
        """Median and 95th percentile of waits, pickups and runs."""
        return [
            percentiles_text(self.latencies.percentiles(name)) for name in self.latencies.counts
        ]

    @cached_property
    def links(self) -> dict[str, str]:
        """The list behind each number."""
        links = {
            state: jobs_link(kind=self.kind, state=state)
            for state in ("due", "retry", "scheduled", "blocked", "running", "stalled")
        }
        links |= {
            name: jobs_link(kind=self.kind, state="due", urgency=name)
            for name in ("high", "usual", "low")
        }
        ended = {"kind": self.kind, "finished": self.period}
        for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
            links[status.value] = jobs_link(status__exact=status.value, **ended)
        return links | {"all": jobs_link(kind=self.kind)}


@dataclass(frozen=True)
class Queue:
    kinds: list[QueueRow]
    total: QueueRow

    @property
    def oldest(self) -> QueueRow | None:
        """The kind whose due job has waited longest."""
        waiting = [row for row in self.kinds if row.active["oldest"]]
        return max(waiting, key=lambda row: row.active["oldest"], default=None)


def read_queue(history: History) -> Queue:
    active = active_jobs_by_kind()
    names = dict.fromkeys([*KINDS, *sorted({*active, *history.kinds} - set(KINDS))])
    rows = [
        QueueRow(
            kind=name,
            label=KINDS[name].label if name in KINDS else name,
            active=active.get(name, _no_jobs()),
            sums=history.kinds.get(name, Sums()),
            latencies=history.latencies.get(name, Latencies()),
            period=history.period.name,
        )
        for name in names
    ]
    total = QueueRow(
        "", "All", _sum(active.values()), history.total, history.all_latencies, history.period.name
    )
    return Queue(rows, total)


def _no_jobs() -> dict[str, Any]:
    return dict.fromkeys(NUMBERS, 0) | dict.fromkeys(AGES)


def _sum(kinds: Iterable[dict[str, Any]]) -> dict[str, Any]:
    counted = list(kinds)
    sums = {name: sum(kind[name] for kind in counted) for name in NUMBERS}
    ages = {name: max((k[name] for k in counted if k[name]), default=None) for name in AGES}
    return sums | ages
