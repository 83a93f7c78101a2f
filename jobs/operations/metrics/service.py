"""Metrics about the whole service, read from the database at each scrape.

Every web process returns the same values, so take `max without (instance)` of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import accumulate

from django.conf import settings
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from jobs.engine import figures, health
from jobs.engine.limit_states import read_limit_states
from jobs.engine.statistics import active_jobs_by_kind
from jobs.kinds.registry import KINDS
from jobs.lib.replica import REPLICA
from jobs.lib.scanner import is_scanner_on, scanner_status
from jobs.models import Notification, QueueLimit
from jobs.models.job_statistics import BOUNDS

KEPT_SECONDS = 4.0  # a scrape sooner after the last one gets the same values
STATES = {  # the label `state`, and the count in active_jobs_by_kind()
    "due": "due",
    "waiting_for_retry": "waitingForRetry",
    "scheduled": "waitingForTheirTime",
    "blocked": "waitingForOthers",
    "processing": "processing",
    "stalled": "stalled",
}
OUTCOMES = ("completed", "failed", "failed_with_dependency", "cancelled")
EVENTS = {
    "submitted": "Jobs that were requested",
    "retried": "Failed attempts that are followed by another",
    "rescued": "Attempts whose worker died or stopped responding",
    "requeued": "Finished jobs that were queued again",
    "expired": "Jobs whose files have expired",
}
TIMES = {
    "wait": ("waits", "From due to started, which people wait for"),
    "pickup": ("pickups", "From ready to started"),
    "run": ("runs", "From started to finished, of the last attempt"),
}


class ServiceCollector(Collector):
    """Collects the metrics, at most every KEPT_SECONDS."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._until = 0.0

    def describe(self) -> Iterable[Metric]:
        return []  # do not collect at registration

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._kept = list(_metrics())
                self._until = time.monotonic() + KEPT_SECONDS
            return self._kept


def _metrics() -> Iterator[Metric]:
    yield from _counters()
    yield from _active_jobs()
    yield from _limits()
    yield from _processes()
    yield from _storage()
    yield from _outbox()
    yield from _dependencies()


def _counters() -> Iterator[Metric]:
    totals = figures.totals_by_kind()
    for event, text in EVENTS.items():
        counter = CounterMetricFamily(f"downloads_jobs_{event}", f"{text}.", labels=["kind"])
        for kind, total in totals.items():
            counter.add_metric([kind], total.counts[event])
        yield counter
    ended = CounterMetricFamily(
        "downloads_jobs_finished", "Jobs that ended.", labels=["kind", "outcome"]
    )
    for kind, total in totals.items():
        for outcome in OUTCOMES:
            ended.add_metric([kind, outcome], total.counts[outcome])
    yield ended
    for name, (column, text) in TIMES.items():
        histogram = HistogramMetricFamily(
            f"downloads_job_{name}_seconds", f"{text}.", labels=["kind"]
        )
        for kind, total in totals.items():
            counts, seconds = total.times[column]
            bounds = [*map(str, BOUNDS), "+Inf"]
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            histogram.add_metric([kind], buckets, seconds)
        yield histogram


def _active_jobs() -> Iterator[Metric]:
    active = active_jobs_by_kind()
    jobs = GaugeMetricFamily(
        "downloads_jobs_active", "Queued and running jobs.", labels=["kind", "state"]
    )
    oldest = GaugeMetricFamily(
        "downloads_job_oldest_due_seconds",
        "How long the oldest due job that is not held back has waited for a worker.",
        labels=["kind"],
    )
    for kind in sorted({*KINDS, *active}):
        counts = active.get(kind, {})
        for state, count in STATES.items():
            jobs.add_metric([kind, state], counts.get(count, 0))
        age = counts.get("longest_wait")
        oldest.add_metric([kind], max(age.total_seconds(), 0) if age else 0)
    yield from (jobs, oldest)


def _limits() -> Iterator[Metric]:
    states = read_limit_states()
    paused = GaugeMetricFamily("downloads_paused", "Pauses.", labels=["scope"])
    reached = GaugeMetricFamily(
        "downloads_limits_reached",
        "Owners, keys or others that have reached a limit while jobs of theirs wait.",
        labels=["scope"],
    )
    for scope in QueueLimit.Scope.values:
        of_scope = [state for state in states if state.limit.scope == scope]
        paused.add_metric([scope], sum(state.limit.is_paused for state in of_scope))
        reached.add_metric([scope], sum(state.reached for state in of_scope))
    yield from (paused, reached)


def _processes() -> Iterator[Metric]:
    count = GaugeMetricFamily(
        "downloads_processes",
        "Workers and dispatchers that have reported in 15 minutes.",
        labels=["role", "state"],
    )
    seen = GaugeMetricFamily(
        "downloads_process_seen_seconds",
        "The time since the last report of any process of the role.",
        labels=["role"],
    )
    processes = figures.processes_by_role()
    for role, found in processes.items():
        count.add_metric([role, "responding"], found.responding)
        count.add_metric([role, "not_responding"], found.not_responding)
        if found.seen_seconds_ago is not None:
            seen.add_metric([role], found.seen_seconds_ago)
    yield from (count, seen)
    free = GaugeMetricFamily(
        "downloads_scratch_free_ratio", "The free share of the fullest disk.", labels=["role"]
    )
    for role, found in processes.items():
        free.add_metric([role], found.scratch_free)
    yield free
    slots, ticks = processes["worker"].slots, processes["dispatcher"].tick_seconds
    yield GaugeMetricFamily(
        "downloads_worker_slots", "Jobs that the workers can run at once.", slots
    )
    yield GaugeMetricFamily(
        "downloads_dispatcher_tick_seconds", "The longest tick of a dispatcher lately.", ticks
    )


def _storage() -> Iterator[Metric]:
    storage = figures.owners_storage()
    stored = GaugeMetricFamily(
        "downloads_stored_bytes", "Bytes that owners have stored.", labels=["owner"]
    )
    stored.add_metric(["staff"], storage.staff_bytes)
    stored.add_metric(["user"], storage.user_bytes)
    yield stored
    yield GaugeMetricFamily(
        "downloads_owners_near_quota",
        "Owners who use at least 90 % of their quota.",
        storage.owners_near_quota,
    )
    if settings.STORE_BYTES:
        yield GaugeMetricFamily(
            "downloads_store_bytes", "The size of the file store.", settings.STORE_BYTES
        )
        yield GaugeMetricFamily(
            "downloads_store_used_bytes",
            "Bytes of all files and unfinished uploads.",
            figures.store_used_bytes(),
        )


def _outbox() -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "downloads_outbox_waiting", "Mails and webhooks to send.", labels=["channel"]
    )
    overdue = GaugeMetricFamily(
        "downloads_outbox_overdue_seconds",
        "How long the oldest of them is overdue.",
        labels=["channel"],
    )
    for channel, found in figures.outbox_by_channel().items():
        waiting.add_metric([channel], found.waiting)
        overdue.add_metric([channel], found.oldest_due_seconds)
    failing = GaugeMetricFamily(
        "downloads_outbox_failing",
        "Those that failed at least twice, if none was sent since.",
        labels=["channel"],
    )
    counts = figures.failing_messages()
    for channel in Notification.Channel.values:
        failing.add_metric([channel], counts.get(channel, 0))
    yield from (waiting, overdue, failing)


def _dependencies() -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "downloads_dependency_up", "1 if the dependency responds.", labels=["name"]
    )
    for name, is_healthy in health.check_dependencies().items():
        up.add_metric([name], is_healthy)
        if name == "replica" and is_healthy:
            lag = REPLICA.lag_seconds
            yield GaugeMetricFamily(
                "downloads_replica_lag_seconds", "How far the replica is behind.", lag
            )
    if is_scanner_on():
        is_there, signatures = scanner_status()
        up.add_metric(["scanner"], is_there)
        if signatures is not None:
            yield GaugeMetricFamily(
                "downloads_scanner_signatures_timestamp_seconds",
                "The date of the virus scanner's signatures, in Unix time.",
                signatures.timestamp(),
            )
    yield up
