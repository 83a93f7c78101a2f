"""Tracing in this process, with spans in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import storages
from django.db import connection

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def forget_bucket_clients() -> None:
    """Make the classes for requests be chosen again."""
    for alias in ("default", "retrying", "slow"):
        for name in ("objects", "_connection"):
            vars(storages[alias]).pop(name, None)


@pytest.fixture
def exporter(settings: Any) -> Iterator[InMemorySpanExporter]:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from jobs.lib.tracing.statements import trace_statement
    from jobs.lib.tracing.tracer_provider import new_tracer_provider, use_tracer_provider

    found, provider = InMemorySpanExporter(), new_tracer_provider([])
    provider.add_span_processor(SimpleSpanProcessor(found))
    settings.TRACING = True
    use_tracer_provider(provider)
    forget_bucket_clients()
    with connection.execute_wrapper(trace_statement):
        yield found
    forget_bucket_clients()
    use_tracer_provider(None)
    provider.shutdown()
