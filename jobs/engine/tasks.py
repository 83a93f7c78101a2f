"""The Celery task that runs a job, and the handler for when its process dies."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Task, shared_task
from celery.exceptions import Ignore
from celery.signals import task_failure, worker_ready, worker_shutting_down
from celery.worker.state import active_requests
from django.db import close_old_connections, connection, connections

from jobs.engine import runner
from jobs.engine.celery_app import celery_app
from jobs.engine.claims import unknown_ready_kinds
from jobs.engine.doorbell import send_doorbells
from jobs.engine.doorbell_message import TASK
from jobs.engine.process_reports import ProcessReports, memory_bytes
from jobs.errors import NothingReady
from jobs.kinds.registry import queue_doorbell, queue_time_limit
from jobs.models import DownloadJob, ServiceProcess
from jobs.notifications import stand_in_for_dispatchers
from jobs.states import Status

log = structlog.get_logger(__name__)


@shared_task(name=TASK, bind=True)
def run_job_task(self: Task[Any, Any], job_id: str) -> str:
    """Run one attempt of the queue's next job. Return its status, which is the task's result.

    `job_id` is the job that rang, which another doorbell may have started.
    """
    close_old_connections()  # the one of the last job may have died since
    request: Any = self.request
    queue: str = request.delivery_info["routing_key"]
    if _is_too_short(queue, request.timelimit):
        send_doorbells([queue_doorbell(queue, job_id)])
        raise Ignore("This message could end a job early. Another one replaces it.")
    try:
        status = runner.run_next_job(
            queue,
            task_id=request.id,
            worker=request.hostname,
            traceparent=str(request.get("traceparent") or ""),
        )
    except NothingReady as nothing:
        log.info("no job is ready", rang=job_id)
        raise Ignore(str(nothing)) from nothing
    except BaseException:
        connection.close()  # it may lead to a server that has become read-only
        raise
    # Completed jobs have their own history: only other results are stored, for operators.
    request.ignore_result = status == Status.COMPLETED
    return status


def _is_too_short(queue: str, time_limits: Any) -> bool:
    """Return whether Celery would kill this process before a job of the queue may have to end.

    So it is with messages from before a deployment: the limit was that of the job that rang.
    """
    limit = (time_limits or [None])[0] or celery_app().conf.task_time_limit
    return limit is not None and limit < queue_time_limit(queue)


@task_failure.connect
def _on_failure(task_id: str = "", exception: BaseException | None = None, **kwargs: Any) -> None:
    """Settle the job of a pool process that died. Runs in the worker's main process."""
    if isinstance(exception, WorkerLostError | TimeLimitExceeded):
        try:
            runner.process_died(task_id)
        finally:
            connections.close_all()  # new pool processes are forked from this one


def _kill_overrun(worker: str) -> None:
    """Kill the pool processes of this worker that should have stopped at their time limits.

    C code can block an attempt's own alarm, and Celery knows only the longest limit of the queue.
    """
    running = DownloadJob.objects.filter(status=Status.PROCESSING, worker=worker).defer("params")
    overrun = {job.task_id for job in running.with_running_time() if runner.has_overrun(job)}
    for request in list(active_requests):
        if request.id in overrun and request.worker_pid:
            log.critical("killed a process after its job's time limit", pid=request.worker_pid)
            with suppress(ProcessLookupError):
                os.kill(request.worker_pid, signal.SIGKILL)


class JobsLeftToOthers:
    """Says in the log which ready jobs this worker leaves to newer ones, when that changes."""

    def __init__(self) -> None:
        self._last: set[tuple[str, int]] = set()

    def log_if_changed(self) -> None:
        found = unknown_ready_kinds()
        if found - self._last:
            names = [f"{kind}, version {version}" for kind, version in sorted(found)]
            log.warning("jobs wait for a newer worker", kinds=names)
        self._last = found


_reports: list[ProcessReports] = []  # of this worker, while it is running


@worker_ready.connect
def _start_reports(sender: Any, **kwargs: Any) -> None:
    """Report the worker from its main process. `sender` is Celery's consumer."""

    def facts() -> dict[str, Any]:
        pool, autoscaler = sender.pool, getattr(sender.controller, "autoscaler", None)
        children = [process.pid for process in getattr(pool._pool, "_pool", [])]
        return {
            "queues": sorted(sender.app.amqp.queues.consume_from),
            "slots": pool.num_processes,
            "max_slots": autoscaler.max_concurrency if autoscaler else pool.num_processes,
            "memory_bytes": memory_bytes(children),
        }

    left = JobsLeftToOthers()

    def then() -> None:
        _kill_overrun(sender.hostname)
        left.log_if_changed()
        stand_in_for_dispatchers()

    reports = ProcessReports(ServiceProcess.Role.WORKER, sender.hostname, facts, then=then)
    reports.start()
    _reports.append(reports)


@worker_shutting_down.connect
def _stop_reports(**kwargs: Any) -> None:
    while _reports:
        _reports.pop().stop()
