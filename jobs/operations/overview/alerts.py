"""What is wrong now, as sentences with a link to press. Nothing is wrong without any."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.operations.overview.charts import LIMIT
from jobs.operations.overview.history import Sums
from jobs.operations.overview.links import jobs_link
from jobs.operations.overview.processes import Processes
from jobs.operations.overview.queue import WAIT_LIMIT, Queue
from jobs.operations.overview.resources import Dependency
from jobs.operations.overview.texts import seconds_text, share_text
from jobs.states import Status

MIN_FAILED = 5  # fewer say little about a share


@dataclass(frozen=True)
class Alert:
    level: str  # "error" or "warning", as the admin's messages
    text: str
    link: str = ""
    link_text: str = ""


def find_alerts(
    queue: Queue, processes: Processes, dependencies: list[Dependency], last_hour: Sums
) -> list[Alert]:
    """Return what is wrong, the worst first."""
    unhealthy = [each for each in dependencies if not each.is_healthy]
    alerts = [
        *(Alert("error", f"{each.label}: {each.text}.") for each in unhealthy),
        *_process_alerts(processes),
        *_queue_alerts(queue),
        *_failure_alerts(last_hour),
    ]
    return sorted(alerts, key=lambda alert: alert.level != "error")


def _process_alerts(processes: Processes) -> list[Alert]:
    alerts = []
    if not processes.active_dispatcher:
        last = next(iter(processes.dispatchers), None)
        since = f" The last one reported {last.seen_text}." if last else ""
        text = "No dispatcher is running: nothing is retried, rescued, expired or mailed."
        alerts.append(Alert("error", text + since))
    if silent := processes.silent_workers:
        names = ", ".join(f"{worker.name} ({worker.seen_text})" for worker in silent[:3])
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        alerts.append(Alert("warning", f"Workers that do not report: {names}{more}."))
    if len(processes.silent_workers) == len(processes.workers):
        alerts.append(Alert("error", "No worker is running: no job starts."))
    return alerts


def _queue_alerts(queue: Queue) -> list[Alert]:
    alerts = []
    if stalled := queue.total.active["stalled"]:
        text = f"Stalled: the workers of {_jobs(stalled)} have stopped responding."
        alerts.append(Alert("warning", text, jobs_link(state="stalled"), "Show them"))
    if (row := queue.oldest) and row.waits_too_long:
        limit = seconds_text(WAIT_LIMIT.total_seconds())
        text = f"{row.label}: the oldest of {_jobs(row.active['due'])} has waited {row.oldest_text}"
        text += f"; the limit is {limit}."
        alerts.append(Alert("warning", text, row.links["due"], "Show them"))
    return alerts


def _failure_alerts(last_hour: Sums) -> list[Alert]:
    if last_hour.failed < MIN_FAILED or last_hour.failure_share < LIMIT:
        return []
    text = f"{share_text(last_hour.failure_share)} of the jobs of the last hour failed:"
    link = jobs_link(status__exact=Status.FAILED.value, finished="1h")
    return [Alert("warning", f"{text} {last_hour.failed:,}.", link, "Show them")]


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
