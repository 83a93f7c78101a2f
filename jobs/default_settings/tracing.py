"""Settings of traces. OTEL_EXPORTER_OTLP_ENDPOINT says where they go: see docs/tracing.md."""

from __future__ import annotations

from jobs.lib.settings_environment import env
from jobs.lib.tracing.configuration import is_tracing_on

TRACING = is_tracing_on(env)
# The URL of a trace in a viewer, with {trace_id}, for the admin. Empty: no links.
TRACE_URL = env.str("TRACE_URL", default="")
TRACING_HEADERS = ["traceparent", "tracestate"] if TRACING else []  # of pages elsewhere
TRACING_MIDDLEWARE = ["jobs.web.tracing.TracingMiddleware"] if TRACING else []
