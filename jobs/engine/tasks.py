"""What Celery calls: the doorbell, and the death of a process that answered one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Task, shared_task
from celery.exceptions import Ignore
from celery.signals import task_failure
from django.db import close_old_connections, connection, connections

from downloads_project.celery import app
from jobs.engine import runner
from jobs.engine.queue import TASK
from jobs.errors import StaleJob
from jobs.states import Status


@shared_task(name=TASK, bind=True)
def run(self: Task[Any, Any], job_id: str) -> str:
    close_old_connections()  # kept from the job before; perhaps it died since
    try:
        request = self.request
        status = runner.run(
            UUID(job_id),
            task_id=request.id or "",
            worker=request.hostname or "",
            killed_after_seconds=(request.timelimit or [None])[0] or app.conf.task_time_limit,
        )
    except StaleJob as stale:
        raise Ignore(str(stale)) from stale  # rung twice, or too late: not an error
    except BaseException:
        connection.close()  # alive it may be, and lead to a server that has become read-only
        raise
    # A job that is completed has its own history; operators look for the others.
    request.ignore_result = status == Status.COMPLETED
    return status


@task_failure.connect
def _on_failure(
    task_id: str = "", exception: BaseException | None = None, args: Any = (), **kwargs: Any
) -> None:
    """In the worker's main process when a pool process died, so that its job need not wait."""
    settle = {WorkerLostError: runner.child_died, TimeLimitExceeded: runner.child_overran}
    if call := settle.get(type(exception)):  # type: ignore[arg-type]
        try:
            call(UUID(args[0]), task_id=task_id)
        finally:
            connections.close_all()  # new pool processes are forked from this one
