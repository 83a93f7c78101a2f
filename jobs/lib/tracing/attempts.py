"""The span of an attempt in its worker process, with its claim, its phases and its calls."""

from __future__ import annotations

from contextvars import Token
from typing import Protocol, Self
from uuid import UUID

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobs.lib.tracing.messages import message_attributes, previous_attempt_links, remote_context
from jobs.lib.tracing.spans import AttemptCalls, link_to, mark_failed, running
from jobs.lib.tracing.trace_ids import AttemptIds
from jobs.lib.tracing.tracer_provider import SpanPlan, start_span

CLAIM = {
    "db.system.name": "postgresql",
    "db.operation.name": "UPDATE",
    "db.collection.name": "jobs_downloadjob",
}


class ClaimedJob(Protocol):
    """What a trace needs of a job."""

    pk: UUID
    kind: str
    attempt: int
    failures: int
    status: str
    error_code: str
    request_id: str


class AttemptTrace:
    """Context manager around an attempt, for the main thread of a worker process; one at a time."""

    def __init__(
        self, job: ClaimedJob, *, queue: str, message_id: str, traceparent: str, began_ns: int
    ) -> None:
        """Start the span, at `began_ns`, when the worker received the doorbell.

        The trace is that of the doorbell, unless this rang for an earlier attempt: then it is
        linked, and decides whether the attempt is sampled.
        """
        self._job, self._failures = job, job.failures
        self._calls = AttemptCalls()
        self._token: Token[Context] | None = None
        self._phase: tuple[Span, Token[Context]] | None = None
        ids, sent = AttemptIds.of(job.pk, job.attempt), _parse(traceparent)
        links, parent = previous_attempt_links(job.pk, job.attempt), Context()
        if sent.trace_id == ids.trace_id:
            parent, plan = remote_context(sent), SpanPlan(span_id=ids.span_id)
        else:
            sampled = sent.trace_flags.sampled if sent.is_valid else None
            plan = SpanPlan(trace_id=ids.trace_id, span_id=ids.span_id, is_sampled=sampled)
            links += [link_to(sent, "doorbell")] if sent.is_valid else []
        attributes = message_attributes(job.pk, job.attempt, job.kind, queue, operation="process")
        attributes |= {"messaging.message.id": message_id, "downloads.request_id": job.request_id}
        self._span = start_span(
            f"process {queue}", SpanKind.CONSUMER, parent=parent, attributes=attributes,
            links=links, plan=plan, start_time=began_ns,
        )  # fmt: skip
        self._context = trace.set_span_in_context(self._span, Context())
        claim = start_span(
            "claim", SpanKind.CLIENT, parent=self._context, attributes=CLAIM, start_time=began_ns
        )
        claim.end()

    def __enter__(self) -> Self:
        self._token = contexts.attach(self._context)
        if self._span.is_recording():
            self._calls.context, running.attempt = self._context, self._calls
        return self

    def __exit__(self, *_: object) -> None:
        self.end_phase()
        running.attempt = None
        if self._token:
            contexts.detach(self._token)
        self._calls.export()
        if self._calls.skipped:
            self._span.set_attribute("downloads.calls_without_span", self._calls.skipped)
        self._span.set_attribute("downloads.job.status", self._job.status)
        if self._job.failures > self._failures:
            mark_failed(self._span, self._job.error_code)
        self._span.end()

    def start_phase(self, name: str) -> None:
        """End the phase before this one. Calls and spans of the builder belong to the phase."""
        self.end_phase()
        span = start_span(f"{name} {self._job.kind}", SpanKind.INTERNAL, parent=self._context)
        context = trace.set_span_in_context(span, Context())
        self._phase = span, contexts.attach(context)
        self._calls.context = context

    def end_phase(self, error: BaseException | None = None) -> None:
        if not self._phase:
            return
        (span, token), self._phase = self._phase, None
        contexts.detach(token)
        self._calls.context = self._context
        if error:
            mark_failed(span, type(error).__qualname__)
        self._calls.end(span)


def _parse(traceparent: str) -> SpanContext:
    """Return the ids of a message's header; they are invalid if it is, or if it has none."""
    context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    return trace.get_current_span(context).get_span_context()
