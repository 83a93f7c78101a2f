"""The span of sending a doorbell, whose ids the message carries to the worker."""

from __future__ import annotations

from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

from jobs.lib.tracing.spans import current_context, link_to, mark_failed
from jobs.lib.tracing.trace_ids import AttemptIds
from jobs.lib.tracing.tracer_provider import SpanPlan, start_span

SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class SendSpan:
    """The span from when a doorbell is due to when the broker has it."""

    def __init__(self, job_id: UUID | str, *, attempt: int, kind: str, queue: str) -> None:
        """Start it, in the trace of the attempt that it rings for.

        If another trace is current, such as a client's, each has a link to the other, and the
        attempt is sampled if that trace is.
        """
        ids, cause = AttemptIds.of(job_id, attempt), current_context()
        is_own = cause.trace_id == ids.trace_id
        plan = None
        links = previous_attempt_links(job_id, attempt)
        if not is_own:
            sampled = cause.trace_flags.sampled if cause.is_valid else None
            plan = SpanPlan(trace_id=ids.trace_id, is_sampled=sampled)
            links += [link_to(cause, "request")] if cause.is_valid else []
        self._span = start_span(
            f"send {queue}",
            SpanKind.PRODUCER,
            parent=remote_context(cause) if is_own else Context(),
            attributes=message_attributes(job_id, attempt, kind, queue, operation="send"),
            links=links,
            plan=plan,
        )
        if cause.is_valid and not is_own:
            trace.get_current_span().add_link(
                self._span.get_span_context(), {"downloads.link": "job"}
            )

    @property
    def traceparent(self) -> str:
        """The header of the message, as in W3C Trace Context."""
        ids = self._span.get_span_context()
        return f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags:02x}"

    def end(self, error: BaseException | None = None) -> None:
        """End it when the doorbell was sent, or lost."""
        if error:
            mark_failed(self._span, type(error).__qualname__)
        self._span.end()


def message_attributes(
    job_id: UUID | str, attempt: int, kind: str, queue: str, *, operation: str
) -> dict[str, str | int]:
    """Return the attributes of a span that sends or processes a doorbell."""
    return {
        "messaging.system": "redis",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
        "messaging.message.conversation_id": str(job_id),
        "downloads.job.id": str(job_id),
        "downloads.job.kind": kind,
        "downloads.job.attempt": attempt,
    }


def previous_attempt_links(job_id: UUID | str, attempt: int) -> list[Link]:
    """Return a link to the span of the previous attempt, unless this is the first."""
    if attempt <= 1:
        return []
    ids = AttemptIds.of(job_id, attempt - 1)
    previous = SpanContext(ids.trace_id, ids.span_id, is_remote=True, trace_flags=SAMPLED)
    return [link_to(previous, "previous attempt")]


def remote_context(context: SpanContext) -> Context:
    """Return a context whose span has these ids."""
    return trace.set_span_in_context(trace.NonRecordingSpan(context), Context())
