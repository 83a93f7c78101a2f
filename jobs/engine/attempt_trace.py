"""The trace of an attempt, if settings.TRACING is true; otherwise something that does nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from django.conf import settings

from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob


class PhaseSpans(Protocol):
    """What the runner tells the trace."""

    def start_phase(self, name: str) -> None: ...

    def end_phase(self, error: BaseException | None = None) -> None: ...


class NoTrace:
    def start_phase(self, name: str) -> None:
        pass

    def end_phase(self, error: BaseException | None = None) -> None:
        pass


def attempt_trace(
    job: DownloadJob, *, task_id: str, traceparent: str, began_ns: int
) -> AbstractContextManager[PhaseSpans]:
    """Return the context manager of the attempt that `job` has just claimed."""
    if not settings.TRACING:
        return nullcontext(NoTrace())
    from jobs.lib.tracing.attempts import AttemptTrace

    queue = KINDS[job.kind].queue if job.kind in KINDS else settings.QUEUE
    return AttemptTrace(
        job, queue=queue, message_id=task_id, traceparent=traceparent, began_ns=began_ns
    )
