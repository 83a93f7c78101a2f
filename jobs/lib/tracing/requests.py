"""The span of a request. If it starts a trace, the job that it submits has the same id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, StatusCode

from jobs.lib.tracing.tracer_provider import SpanPlan, start_span

# The trace id of the current request, until a job has it.
_unused_id: ContextVar[int | None] = ContextVar("unused_id", default=None)


class RequestSpan:
    """The span of one request that changes something. A client's `traceparent` is its parent."""

    def __init__(
        self,
        method: str,
        path: str,
        scheme: str,
        headers: Mapping[str, str],
        *,
        job_id: UUID | None = None,
        start_time: int | None = None,
    ) -> None:
        """`headers` have lower-case names. `job_id` becomes the trace id, unless there is a parent.

        No query and no address of the client: these may be secrets or personal data.
        """
        parent = extract(headers, Context())
        self._has_parent = trace.get_current_span(parent).get_span_context().is_valid
        self._method = method
        self._span = start_span(
            method,
            SpanKind.SERVER,
            parent=parent,
            attributes={
                "http.request.method": method,
                "url.path": path,
                "url.scheme": scheme,
            },
            plan=SpanPlan(trace_id=job_id.int) if job_id else None,
            start_time=start_time,
        )

    @contextmanager
    def current(self) -> Iterator[None]:
        """Context in which this is the current span."""
        ids = self._span.get_span_context()
        token = contexts.attach(trace.set_span_in_context(self._span, contexts.get_current()))
        unused = _unused_id.set(None if self._has_parent else ids.trace_id)
        try:
            yield
        finally:
            _unused_id.reset(unused)
            contexts.detach(token)

    def end(self, *, route: str, status: int, request_id: str) -> None:
        """`route` is the URL with names for its values."""
        if route:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attribute("downloads.request_id", request_id)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def take_job_id() -> UUID | None:
    """Return the id for the first job that the current request submits; None for further ones.

    It is the id of the request's trace, so that both are in one. Never an id that a client sent.
    """
    unused = _unused_id.get()
    _unused_id.set(None)
    return UUID(int=unused) if unused else None
