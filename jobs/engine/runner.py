"""Run one attempt of a job: claim, build, store, record. tasks.py calls it in a worker process.

The outcome is recorded first and leftovers are removed second. A process that dies in between
leaves objects for the dispatcher to delete, and never an unsettled job.
"""

from __future__ import annotations

import random
import threading
import time
import traceback
from contextlib import suppress
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from jobs.engine import claims, quota, simulated_delay
from jobs.engine.attempt import Attempt, StorageOutput
from jobs.engine.attempt_trace import PhaseSpans, attempt_trace
from jobs.engine.heartbeat import Heartbeat
from jobs.engine.phases import Phases
from jobs.engine.time_limit import time_limit_text
from jobs.errors import (
    TIMEOUT,
    BuildError,
    Infected,
    Interrupted,
    OwnerBusy,
    StaleJob,
    Stalled,
    Unexpected,
)
from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS
from jobs.lib.backoff import backoff_seconds
from jobs.lib.database import DATABASE_UNAVAILABLE, retry_database_write
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Status

log = structlog.get_logger(__name__)

CLEANUP_SECONDS = 1  # a cancelled builder stops within 2 s; the dispatcher deletes the rest
LONG_SECONDS = 3600  # longer attempts may outlast the expiry of their sources


def run_next_job(queue: str, *, task_id: str, worker: str, traceparent: str = "") -> str:
    """Run one attempt of the queue's next job. Return its new status. Raises NothingReady.

    `traceparent` is the doorbell's, for the trace.
    """
    began_ns = time.time_ns()
    job = claims.claim_next_job(queue, task_id=task_id, worker=worker)
    status = _run(job, task_id=task_id, traceparent=traceparent, began_ns=began_ns)
    with suppress(*DATABASE_UNAVAILABLE):  # the dispatcher rings later
        claims.ring_for_next_job(queue)
    return status


def run_job(job_id: UUID, *, task_id: str, worker: str, traceparent: str = "") -> str:
    """Run one attempt of this job. Return its new status. Raises StaleJob if it is not due."""
    began_ns = time.time_ns()
    job = DownloadJob(pk=job_id)  # the claim reads the row
    job.claim(task_id=task_id, worker=worker)
    return _run(job, task_id=task_id, traceparent=traceparent, began_ns=began_ns)


def _run(job: DownloadJob, *, task_id: str, traceparent: str, began_ns: int) -> str:
    context = {"job_id": str(job.pk), "attempt": job.attempt, "request_id": job.request_id}
    context["kind"] = job.kind
    with (
        structlog.contextvars.bound_contextvars(**context),
        attempt_trace(job, task_id=task_id, traceparent=traceparent, began_ns=began_ns) as trace,
    ):
        _attempt(job, trace)
    return job.status


def process_died(task_id: str) -> None:
    """Requeue the job of a process that died; fail it if its time limit was over.

    Called in the worker's main process, maybe twice.
    """
    with transaction.atomic():
        # By the task's id: neither the message nor the main process knows which job it took.
        running = DownloadJob.objects.filter(task_id=task_id, status=Status.PROCESSING)
        if job := running.with_running_time().locked().first():
            if has_overrun(job):
                limit = KINDS[job.kind].time_limit.seconds(total=job.total, done=job.done)
                job.fail(TIMEOUT, _timeout_sentence(limit))
            else:
                job.rescue(Actor.WORKER)


def has_overrun(job: DownloadJob) -> bool:
    """Return whether the attempt should have stopped at its time limit, but is still running.

    The job is from `with_running_time`.
    """
    after = KINDS[job.kind].time_limit.kill_after_seconds(job.total) if job.kind in KINDS else None
    return after is not None and job.running_time.total_seconds() >= after


def _attempt(job: DownloadJob, trace: PhaseSpans) -> None:
    attempt: Attempt | None = None
    phases = Phases(on_start=trace.start_phase, on_end=trace.end_phase)
    try:
        kind = KINDS[job.kind]
        with Heartbeat(job, kind.time_limit) as heartbeat:
            attempt = Attempt(job, heartbeat, kind)
            _simulate_delay(heartbeat)
            _keep_sources(job, kind)
            phases.start("load")
            loaded = kind.load(job)
            phases.start("build")
            kind.build(loaded, attempt)
            phases.start("store")
            artifact = attempt.finish()
            phases.end()
        _succeed(job, artifact, kind, attempt)
    except BaseException as error:
        trace.end_phase(error)
        try:
            _settle(job, error)
            if attempt:
                _discard(attempt)
        except DATABASE_UNAVAILABLE:
            log.exception("left to the lease and to the dispatcher")
        if not isinstance(error, Exception | Interrupted):
            raise  # SystemExit: the worker is stopping
    finally:
        if attempt:
            attempt.close()
        phases.forget()


def _keep_sources(job: DownloadJob, kind: Kind) -> None:
    """Keep the sources of a long attempt from expiring before its time limit."""
    extra = kind.time_limit.extra_seconds(job.total or 0)
    sources = kind.stored_files(job.params) if extra >= LONG_SECONDS else None
    if sources is None:
        return
    try:
        for_seconds = kind.time_limit_seconds + extra + settings.SOURCE_KEPT_SECONDS
        quota.extend_source_quota(job, sources, for_seconds=for_seconds)
    except OwnerBusy:
        log.warning("sources are kept for SOURCE_KEPT_SECONDS alone")


def _succeed(job: DownloadJob, artifact: StoredFile | None, kind: Kind, attempt: Attempt) -> None:
    if artifact and kind.is_numbered:
        retry_database_write(artifact.take_number)
    retry_database_write(
        lambda: job.succeed(artifact, others=attempt.others, in_parts=attempt.is_in_parts)
    )


def _settle(job: DownloadJob, error: BaseException) -> None:
    """Record why an attempt ended, unless it lost the job. Then refresh `job`."""
    connection.close()  # it may be broken, or interrupted in the middle of a query
    try:
        _record_end(job, error)
        is_lost = False
    except StaleJob:
        is_lost = True
    job.refresh_from_db()
    if is_lost:
        log.info("stopped", status=job.status)  # such as cancelled: another process has logged it


def _record_end(job: DownloadJob, error: BaseException) -> None:
    """Record why an attempt ended. Raises StaleJob if it lost the job."""
    if isinstance(error, Interrupted):
        if error.stalled:
            _retry_or_fail(
                job, Stalled(_stalled_sentence(error.limit_seconds)), detail=_trace(error)
            )
        elif error.timed_out:
            retry_database_write(lambda: job.fail(TIMEOUT, _timeout_sentence(error.limit_seconds)))
        else:
            raise StaleJob("The attempt was cancelled.")
    elif isinstance(error, BuildError):
        _retry_or_fail(job, error, detail=_trace(error))
    elif not isinstance(error, Exception):
        job.hand_back()  # no retries: the worker has seconds left, and the lease expires anyway
    elif isinstance(error, StaleJob):
        raise error
    else:
        log.exception("unexpected error")
        unexpected = Unexpected("Something went wrong on our side.")
        _retry_or_fail(job, unexpected, detail=_trace(error))


def _retry_or_fail(job: DownloadJob, error: BuildError, *, detail: str) -> None:
    # Decided before the write: one that is rolled back has changed `job.failures`.
    delay = backoff_seconds(job.failures, KINDS[job.kind].retry_delays) if error.retryable else None
    delay = delay and max(delay, error.after_seconds)

    def write() -> None:
        if delay is None:
            _fail(job, error, detail)
        else:
            job.retry(error.code, str(error), after_seconds=delay, detail=detail)

    retry_database_write(write)


def _fail(job: DownloadJob, error: BuildError, detail: str) -> None:
    with transaction.atomic():
        if isinstance(error, Infected):
            log.error("infected", owner=job.owner_id, reason=str(error))
            job.files.quarantine()
        job.fail(error.code, str(error), detail=detail, facts=error.facts)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _timeout_sentence(limit_seconds: int) -> str:
    return f"It took longer than {time_limit_text(limit_seconds)} and was stopped."


def _stalled_sentence(limit_seconds: int) -> str:
    return f"It made no progress for {time_limit_text(limit_seconds)} and was stopped."


def _discard(attempt: Attempt) -> None:
    # In a thread, because the file store may be what hangs.
    leftovers = attempt.leftovers()
    cleanup = threading.Thread(target=_discard_quietly, args=[leftovers], daemon=True)
    cleanup.start()
    cleanup.join(CLEANUP_SECONDS)


def _discard_quietly(leftovers: list[StorageOutput]) -> None:
    for output in leftovers:
        try:
            output.discard()
        except BuildError as error:
            log.warning("left for the dispatcher to collect", key=output.key, error=repr(error))


def _simulate_delay(heartbeat: Heartbeat) -> None:
    shortest, longest = settings.SIMULATED_DELAY_SECONDS
    if longest:
        seconds = random.uniform(shortest, longest)
        heartbeat.say(simulated_delay.simulated_delay_message(seconds))
        time.sleep(seconds)
        heartbeat.say("Starting")
