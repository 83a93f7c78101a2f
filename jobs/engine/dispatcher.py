"""The periodic work: ring for due jobs, repeat requests, requeue lost ones, delete old rows.

It also sends mails and webhooks: see notifications/.

It is a process of its own, `manage.py dispatcher`, and not a Celery task, because it must go on
when the queue stalls. Any number may run: each skips the rows that another has locked.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from jobs import notifications
from jobs.engine.bulk_actions import advance_bulk_action
from jobs.engine.deletion_sweep import expire_share_links, sweep_deletions
from jobs.engine.expiry import (
    expire_abandoned_uploads,
    expire_artifacts,
    expire_bulk_actions,
    expire_idempotency_keys,
    expire_jobs,
    expire_notifications,
    expire_queue_limits,
    expire_refresh_tokens,
    expire_sessions,
    expire_task_results,
    expire_tracebacks,
    expire_uploads,
)
from jobs.engine.garbage import collect_deleted_jobs, collect_garbage
from jobs.engine.process_metrics import SWEEP_FAILURES, SWEPT
from jobs.engine.process_reports import DispatcherTicks, ProcessReports, process_name
from jobs.engine.schedules import run_due_schedules
from jobs.engine.statistics_recorder import StatisticsRecorder
from jobs.engine.sweeps import (
    sweep_blocked_jobs,
    sweep_due_jobs,
    sweep_expired_leases,
    sweep_lanes,
    sweep_lost_doorbells,
    sweep_shares,
    sweep_usage,
)
from jobs.lib.database import DATABASE_UNAVAILABLE
from jobs.models import DownloadJob, Lane, QueueShare, ServiceProcess
from jobs.models.compiled import AnyRowsQuery
from jobs.notifications import DatabaseWatch, check_alerts, notify_operators

log = structlog.get_logger(__name__)

RECORD_EVERY_SECONDS = 5.0
ALERTS_EVERY_SECONDS = 10.0
BULK_PAUSE_SECONDS = 0.05  # between two looks for a due batch while there are any
REPEAT_SECONDS = 20  # for one of the slow sweeps, so that a backlog of it does not stop the others
MAX_ERROR_CHARS = 300  # in a line of the log
STOP_SECONDS = 1  # for threads to end; those that take longer can be cut off safely


def run_dispatcher(stop: threading.Event) -> None:
    """Run the sweeps until `stop` is set. A sweep that fails is logged and tried again next time.

    Slow work has its own threads: a file store, mail server or webhook that hangs must not delay
    the others.
    """
    senders = notifications.senders()
    loops = [_sweep_slowly, _record_statistics, _watch, _advance_bulk_actions, _run_schedules]
    loops += [sender.run for sender in senders]
    threads = [threading.Thread(target=loop, args=[stop], daemon=True) for loop in loops]
    for thread in threads:
        thread.start()
    fast, ticks = FastSweeps(), DispatcherTicks()
    reports = ProcessReports(
        ServiceProcess.Role.DISPATCHER, process_name("dispatcher"), ticks.facts
    )
    reports.start()
    while not stop.is_set():
        with ticks.measured():
            for sweep in (fast, notify_operators):
                _try(sweep)
        stop.wait(settings.DISPATCH_EVERY_SECONDS)
    reports.stop()
    for sender in senders:
        sender.wake()
    ends = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(ends - time.monotonic(), 0))


class FastSweeps:
    """The frequent sweeps. One query finds out which of them have anything to do."""

    __name__ = "fast_sweeps"  # as functions have one

    def __init__(self) -> None:
        jobs, unheard = DownloadJob.objects, timedelta(seconds=settings.RING_AGAIN_SECONDS)
        self._sweeps: dict[Callable[[], int], QuerySet[Any]] = {
            sweep_expired_leases: jobs.lease_expired(),
            sweep_blocked_jobs: jobs.to_release_or_fail(),
            sweep_due_jobs: jobs.to_make_ready(),
            sweep_lost_doorbells: jobs.ready().filter(published_at__lt=Now() - unheard),
            sweep_lanes: Lane.objects.empty(),
            sweep_shares: QueueShare.objects.of_idle(),
        }
        self._rows = AnyRowsQuery(*self._sweeps.values())

    def __call__(self) -> int:
        for is_needed, sweep in zip(self._rows.exist(), self._sweeps, strict=True):
            if is_needed:
                _try(sweep)
        return 0  # each has logged its own count


def _record_statistics(stop: threading.Event) -> None:
    recorder = StatisticsRecorder()
    while not stop.is_set():
        _try(recorder)
        connection.close()
        stop.wait(RECORD_EVERY_SECONDS)


def _watch(stop: threading.Event) -> None:
    """Evaluate the alert rules."""
    database = DatabaseWatch()
    while not stop.is_set():
        try:
            check_alerts()
            database.worked()
        except DATABASE_UNAVAILABLE:
            database.failed()
        except Exception:
            log.exception("alerts could not be checked")
        close_old_connections()
        stop.wait(ALERTS_EVERY_SECONDS)


def _advance_bulk_actions(stop: threading.Event) -> None:
    """Handle the batches of bulk actions. They do not delay the sweeps, and the sweeps not them."""
    while not stop.is_set():
        is_busy = _try(advance_bulk_action)
        stop.wait(BULK_PAUSE_SECONDS if is_busy else settings.DISPATCH_EVERY_SECONDS)
    connection.close()


def _run_schedules(stop: threading.Event) -> None:
    """Start the jobs of schedules. Many are due at the same time: they do not delay the sweeps."""
    while not stop.is_set():
        if not _try(run_due_schedules):
            stop.wait(settings.DISPATCH_EVERY_SECONDS)
    connection.close()


def _sweep_slowly(stop: threading.Event) -> None:
    while not stop.is_set():
        for sweep in (
            expire_artifacts,
            expire_uploads,
            expire_abandoned_uploads,
            sweep_deletions,
            collect_garbage,
            collect_deleted_jobs,
            expire_task_results,
            expire_idempotency_keys,
            expire_refresh_tokens,
            expire_sessions,
            expire_notifications,
            expire_tracebacks,
            expire_jobs,
            expire_bulk_actions,
            expire_queue_limits,
            expire_share_links,
            sweep_usage,
        ):
            _try(_repeat(sweep, stop))
        connection.close()  # not needed for minutes
        stop.wait(settings.COLLECT_EVERY_SECONDS)


def _repeat(sweep: Callable[[], int], stop: threading.Event) -> Callable[[], int]:
    """Return a sweep that goes on with the next batch for REPEAT_SECONDS, while there is one."""

    @functools.wraps(sweep)
    def repeated() -> int:
        ends, total = time.monotonic() + REPEAT_SECONDS, 0
        while count := sweep():
            total += count
            if stop.is_set() or time.monotonic() > ends:
                break
        return total

    return repeated


def _try(sweep: Callable[[], int]) -> int:
    """Return what the sweep returned, 0 if it failed."""
    try:
        if count := sweep():
            log.info(sweep.__name__, count=count)
            SWEPT.labels(sweep.__name__).inc(count)
        _failing.pop(sweep.__name__, None)
        return count
    except Exception as error:
        SWEEP_FAILURES.labels(sweep.__name__).inc()
        _log_failure(sweep.__name__, error)
        close_old_connections()
        return 0


_failing: dict[str, type[Exception]] = {}  # the last error of each sweep that fails


def _log_failure(name: str, error: Exception) -> None:
    """Log one line, the first time with the traceback: in an outage every sweep fails each time."""
    is_new = _failing.get(name) is not type(error)
    _failing[name] = type(error)
    log.error("sweep failed", sweep=name, error=repr(error)[:MAX_ERROR_CHARS], exc_info=is_new)
