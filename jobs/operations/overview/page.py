"""Everything on the overview, read within a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.engine.limit_states import LimitState, read_limit_states
from jobs.lib.database import database_time
from jobs.operations.overview.alerts import (
    PastAlert,
    ShownAlert,
    find_alerts,
    find_past_alerts,
)
from jobs.operations.overview.charts import Charts, make_charts
from jobs.operations.overview.failures import FailureGroup, read_failures
from jobs.operations.overview.history import History, read_history
from jobs.operations.overview.pauses import pause_texts
from jobs.operations.overview.periods import PERIODS, TimeRange, period_of
from jobs.operations.overview.processes import ReportedProcesses, read_processes
from jobs.operations.overview.queue import Queue, read_queue
from jobs.operations.overview.resources import (
    Dependency,
    OverdueMessages,
    StorageUse,
    read_dependencies,
    read_outbox,
    read_storage,
)


@dataclass(frozen=True)
class Overview:
    now: datetime
    period: TimeRange
    history: History
    charts: Charts
    queue: Queue
    limits: list[LimitState]
    failures: list[FailureGroup]
    processes: ReportedProcesses
    dependencies: list[Dependency]
    outbox: OverdueMessages
    storage: StorageUse
    alerts: list[ShownAlert]
    past_alerts: list[PastAlert]

    @property
    def pauses(self) -> list[str]:
        return pause_texts(self.limits, self.now)

    @property
    def periods(self) -> list[TimeRange]:
        return list(PERIODS.values())


def read_overview(query: Mapping[str, Any]) -> Overview:
    """Return the overview of the period in the URL's query."""
    dependencies = read_dependencies()
    now, period = database_time(), period_of(query)
    history = read_history(period, now)
    return Overview(
        now=now,
        period=period,
        history=history,
        charts=make_charts(history),
        queue=read_queue(history),
        limits=[state for state in read_limit_states() if state.state],
        failures=read_failures(period),
        processes=read_processes(now),
        dependencies=dependencies,
        outbox=read_outbox(),
        storage=read_storage(),
        alerts=find_alerts(dependencies),
        past_alerts=find_past_alerts(),
    )
