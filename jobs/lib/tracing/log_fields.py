"""The ids of the current span, for lines of the log."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from jobs.lib.tracing.spans import current_context


def trace_fields() -> dict[str, str]:
    """Return `trace_id` and `span_id`; empty outside of spans."""
    context = current_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def add_trace_fields(
    _logger: Any, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add them to a line of structlog."""
    line.update(trace_fields())
    return line
