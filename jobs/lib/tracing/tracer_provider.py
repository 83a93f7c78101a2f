"""The tracer of this process: OpenTelemetry's SDK, with ids of traces that the service chooses.

It is made when the first span starts, so after any fork.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import uuid4

from django.conf import settings
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanKind, Tracer, TraceState
from opentelemetry.util.types import Attributes

from jobs.lib.settings_environment import env

STOP_SECONDS = 2.0  # for the last spans; a collector that is away must not delay the stop


@dataclass(frozen=True)
class SpanPlan:
    """What a new span has instead of random ids, and of the sampler's decision."""

    trace_id: int | None = None
    span_id: int | None = None
    is_sampled: bool | None = None


_plan: ContextVar[SpanPlan | None] = ContextVar("plan", default=None)


def start_span(
    name: str,
    kind: SpanKind,
    *,
    parent: Context,
    attributes: Attributes = None,
    links: Sequence[Link] = (),
    plan: SpanPlan | None = None,
    start_time: int | None = None,
) -> Span:
    """Start a span. An empty `parent` starts a trace; `start_time` is in nanoseconds."""
    token = _plan.set(plan)
    try:
        return _tracers.get().start_span(
            name,
            context=parent,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=start_time,
        )
    finally:
        _plan.reset(token)


class _PlannedIds(IdGenerator):
    """Random ids, unless they are planned. A random trace id can be the id of a job."""

    _random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        plan = _plan.get()
        return (plan and plan.trace_id) or uuid4().int

    def generate_span_id(self) -> int:
        plan = _plan.get()
        return (plan and plan.span_id) or self._random.generate_span_id()

    def is_trace_id_random(self) -> bool:
        return True  # the last 7 bytes: in a UUID these are random


class _PlannedSampler(Sampler):
    """The sampler of OTEL_TRACES_SAMPLER, unless the decision is planned."""

    def __init__(self, configured: Sampler) -> None:
        self._configured = configured

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        plan, sampler = _plan.get(), self._configured
        if plan and plan.is_sampled is not None:
            sampler = ALWAYS_ON if plan.is_sampled else ALWAYS_OFF
        # The SDK's ratio sampler compares the last 8 bytes with the ratio. In a UUID the first two
        # bits of these are always 10, so a ratio below a half would sample nothing.
        shifted = (trace_id << 8) % 2**64 + (trace_id >> 64 << 64)
        return sampler.should_sample(
            parent_context, shifted, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return self._configured.get_description()


class _Tracers:
    """The tracer of the current process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._tracer: Tracer | None = None
        self.provider: TracerProvider | None = None

    def get(self) -> Tracer:
        if self._tracer is None or self._pid != os.getpid():
            with self._lock:
                if self._tracer is None or self._pid != os.getpid():
                    _export_environment()
                    atexit.register(stop_tracing)
                    self.use(new_tracer_provider(_exporters()))
                    assert self.provider  # `use` has set it
                    trace.set_tracer_provider(self.provider)  # for spans of the builders' own
        assert self._tracer  # as above
        return self._tracer

    def use(self, provider: TracerProvider | None) -> None:
        """Send spans to `provider`; None: to a new one, when the next span starts."""
        self.provider, self._pid = provider, os.getpid()
        self._tracer = provider.get_tracer("jobs") if provider else None


_tracers = _Tracers()
use_tracer_provider = _tracers.use


def new_tracer_provider(exporters: Iterable[SpanExporter]) -> TracerProvider:
    """Return a provider, configured by the environment."""
    own = {"service.name": f"downloads-{settings.ROLE}", "downloads.role": settings.ROLE}
    # The environment has precedence: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
    resource = Resource.create(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(id_generator=_PlannedIds(), resource=resource, shutdown_on_exit=False)
    provider.sampler = _PlannedSampler(provider.sampler)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def stop_tracing() -> None:
    """Send the last spans, for STOP_SECONDS at most. Call it when the process stops.

    It is an exit handler, too, for commands.
    """
    provider, _tracers.provider = _tracers.provider, None
    if provider is None or _tracers._pid != os.getpid():
        return
    sender = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    try:
        sender.start()
    except RuntimeError:  # too late for threads: Python 3.12 has none in exit handlers
        provider.shutdown()
    else:
        sender.join(STOP_SECONDS)


def _export_environment() -> None:
    """Add the variables of files (.env) to os.environ, which the SDK reads."""
    for name, value in env.ENVIRON.items():
        if name.startswith("OTEL_"):
            os.environ.setdefault(name, value)


def _exporters() -> Iterable[SpanExporter]:
    for name in env.list("OTEL_TRACES_EXPORTER", default=["otlp"]):
        if name == "console":
            yield ConsoleSpanExporter()
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            yield OTLPSpanExporter()
