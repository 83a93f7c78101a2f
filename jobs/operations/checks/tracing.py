"""Check the settings of traces. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs.lib.settings_environment import env
from jobs.lib.tracing.configuration import (
    has_tracing_packages,
    is_tracing_configured,
    unsupported_protocol,
)


@register
def check_tracing_packages(**kwargs: Any) -> list[CheckMessage]:
    if not is_tracing_configured(env) or has_tracing_packages():
        return []
    return [
        Warning(
            "Traces are configured (OTEL_…), but OpenTelemetry is not installed: none are sent.",
            hint="Install requirements/tracing.txt, or set OTEL_SDK_DISABLED=true.",
            id="jobs.W044",
        )
    ]


@register
def check_tracing_protocol(**kwargs: Any) -> list[CheckMessage]:
    if not is_tracing_configured(env) or not (protocol := unsupported_protocol(env)):
        return []
    return [
        Warning(
            f"Traces are sent as http/protobuf, not as {protocol}.",
            hint="Set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, and the endpoint to the port"
            " for it, usually 4318.",
            id="jobs.W045",
        )
    ]


@register
def check_trace_url(**kwargs: Any) -> list[CheckMessage]:
    url = settings.TRACE_URL
    if not url or ("{trace_id}" in url and url.startswith(("http://", "https://"))):
        return []
    return [
        Error(
            f"TRACE_URL is {url!r}, which is not a web address with {{trace_id}} in it.",
            hint="Set TRACE_URL as in https://jaeger.example.com/trace/{trace_id}.",
            id="jobs.E044",
        )
    ]
