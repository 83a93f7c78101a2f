"""Spans of calls to the database and the file store, inside a request or an attempt.

Outside of these, as in the sweeps of the dispatcher, there are none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode

from jobs.lib.tracing.tracer_provider import start_span

MAX_CALLS = 500  # of an attempt; a bundle may read 100,000 files
Attributes = Mapping[str, str | int | bool]


class AttemptCalls:
    """The spans of the calls of the running attempt.

    They are exported when the attempt is over: an alarm may interrupt its builder anywhere, and the
    exporter's queue has a lock, which would stay locked.
    """

    def __init__(self) -> None:
        self.context = Context()  # of the attempt, or of its phase
        self.skipped = 0  # calls above MAX_CALLS
        self._count = 0
        self._ended: list[tuple[Span, int]] = []

    def is_full(self) -> bool:
        """Count one more call. Return True if it gets no span."""
        self._count += 1
        self.skipped = max(self._count - MAX_CALLS, 0)
        return self.skipped > 0

    def end(self, span: Span) -> None:
        self._ended.append((span, time.time_ns()))

    def export(self) -> None:
        for span, ended_at in self._ended:
            span.end(ended_at)
        self._ended.clear()


class _Running:
    """The attempt that this process runs. Its threads do not inherit the context."""

    attempt: AttemptCalls | None = None


running = _Running()


@contextmanager
def call_span(name: str, attributes: Attributes, *, in_threads: bool = False) -> Iterator[Span]:
    """Context of one call to a server. Without a trace that is recorded, the span does nothing.

    `in_threads`: also a call of a thread that an attempt has started.
    """
    span = _start_call(name, attributes, in_threads=in_threads)
    if not span.is_recording():
        yield span
        return
    try:
        yield span
    except BaseException as error:
        mark_failed(span, type(error).__qualname__)
        raise
    finally:
        end_call(span)


def _start_call(name: str, attributes: Attributes, *, in_threads: bool) -> Span:
    context, attempt = _context(in_threads=in_threads), running.attempt
    if context is None or (attempt and attempt.is_full()):
        return trace.INVALID_SPAN
    return start_span(name, SpanKind.CLIENT, parent=context, attributes=attributes)


def start_call(name: str, attributes: Attributes, *, in_threads: bool = False) -> Span:
    """Start the span of one call, for `end_call`."""
    return _start_call(name, attributes, in_threads=in_threads)


def end_call(span: Span) -> None:
    if running.attempt:
        running.attempt.end(span)
    else:
        span.end()


def mark_failed(span: Span, error_type: str) -> None:
    """Set the status of the span. `error_type` is a class or a code: sentences may have names."""
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def current_context() -> SpanContext:
    """Return the ids of the current span; they are invalid if there is none."""
    return trace.get_current_span().get_span_context()


def link_to(context: SpanContext, reason: str) -> Link:
    return Link(context, {"downloads.link": reason})


def _context(*, in_threads: bool) -> Context | None:
    """Return the context of a call, if it is recorded."""
    span = trace.get_current_span()
    if span.is_recording():
        return trace.set_span_in_context(span, Context())
    return running.attempt.context if in_threads and running.attempt else None
