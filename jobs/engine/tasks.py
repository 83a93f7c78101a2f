"""The Celery task that runs a job, and the handler for when its process dies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Task, shared_task
from celery.exceptions import Ignore
from celery.signals import task_failure, worker_ready, worker_shutting_down
from django.db import close_old_connections, connection, connections

from jobs.engine import runner
from jobs.engine.celery_app import celery_app
from jobs.engine.doorbell_message import TASK
from jobs.engine.process_reports import ProcessReports, memory_bytes
from jobs.errors import StaleJob
from jobs.models import ServiceProcess
from jobs.notifications import stand_in_for_dispatchers
from jobs.states import Status

log = structlog.get_logger(__name__)


@shared_task(name=TASK, bind=True)
def run_job_task(self: Task[Any, Any], job_id: str) -> str:
    """Run one attempt of the job. Return its status, which is the task's result."""
    close_old_connections()  # the one of the last job may have died since
    try:
        request = self.request
        status = runner.run_job(
            UUID(job_id),
            task_id=request.id or "",
            worker=request.hostname or "",
            killed_after_seconds=(request.timelimit or [None])[0]
            or celery_app().conf.task_time_limit,
            traceparent=str(request.get("traceparent") or ""),
        )
    except StaleJob as stale:
        log.info("ignored a doorbell that was late or came twice", job_id=job_id)
        raise Ignore(str(stale)) from stale
    except BaseException:
        connection.close()  # it may lead to a server that has become read-only
        raise
    # Completed jobs have their own history: only other results are stored, for operators.
    request.ignore_result = status == Status.COMPLETED
    return status


@task_failure.connect
def _on_failure(
    task_id: str = "", exception: BaseException | None = None, args: Any = (), **kwargs: Any
) -> None:
    """Settle the job of a pool process that died. Runs in the worker's main process."""
    settle = {WorkerLostError: runner.runner_died, TimeLimitExceeded: runner.runner_overran}
    if call := settle.get(type(exception)):  # type: ignore[arg-type]
        try:
            call(UUID(args[0]), task_id=task_id)
        finally:
            connections.close_all()  # new pool processes are forked from this one


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

    reports = ProcessReports(
        ServiceProcess.Role.WORKER, sender.hostname, facts, then=stand_in_for_dispatchers
    )
    reports.start()
    _reports.append(reports)


@worker_shutting_down.connect
def _stop_reports(**kwargs: Any) -> None:
    while _reports:
        _reports.pop().stop()
