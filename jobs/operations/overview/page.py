"""Everything on the overview, read within a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db import connection

from jobs.operations.overview.alerts import Alert, find_alerts
from jobs.operations.overview.charts import Charts, make_charts
from jobs.operations.overview.failures import Failure, read_failures
from jobs.operations.overview.history import History, read_history
from jobs.operations.overview.periods import PERIODS, Period, period_of
from jobs.operations.overview.processes import Processes, read_processes
from jobs.operations.overview.queue import Queue, read_queue
from jobs.operations.overview.resources import (
    Dependency,
    Outbox,
    Storage,
    read_dependencies,
    read_outbox,
    read_storage,
)


@dataclass(frozen=True)
class Overview:
    now: datetime
    period: Period
    history: History
    charts: Charts
    queue: Queue
    failures: list[Failure]
    processes: Processes
    dependencies: list[Dependency]
    outbox: Outbox
    storage: Storage
    alerts: list[Alert]

    @property
    def periods(self) -> list[Period]:
        return list(PERIODS.values())


def read_overview(query: Mapping[str, Any]) -> Overview:
    """Return the overview of the period in the URL's query."""
    dependencies = read_dependencies()
    now, period = database_time(), period_of(query)
    history = read_history(period, now)
    hour = PERIODS["1h"]
    last_hour = history.total if period == hour else read_history(hour, now).total
    queue, processes = read_queue(history), read_processes(now)
    return Overview(
        now=now,
        period=period,
        history=history,
        charts=make_charts(history),
        queue=queue,
        failures=read_failures(period),
        processes=processes,
        dependencies=dependencies,
        outbox=read_outbox(),
        storage=read_storage(),
        alerts=find_alerts(queue, processes, dependencies, last_hour),
    )


def database_time() -> datetime:
    """Return the time of the database, whose clock the rows have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    return cast(datetime, now)
