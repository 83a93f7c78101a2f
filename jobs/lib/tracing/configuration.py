"""Whether tracing is configured, by the standard variables of OpenTelemetry."""

from __future__ import annotations

from importlib.util import find_spec

from jobs.lib.environment import Environment

# The service reads no more of them than these: OpenTelemetry's SDK reads them all.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOL = "http/protobuf"
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def is_tracing_configured(env: Environment) -> bool:
    """Return whether the variables name where traces go, and do not turn them off."""
    if env.flag("OTEL_SDK_DISABLED"):
        return False
    exporter = env.str("OTEL_TRACES_EXPORTER", default="")
    is_named = exporter or any(env.str(name, default="") for name in ENDPOINTS)
    return bool(is_named) and exporter != "none"


def is_tracing_on(env: Environment) -> bool:
    """Return settings.TRACING."""
    return is_tracing_configured(env) and has_tracing_packages()


def unsupported_protocol(env: Environment) -> str:
    """Return the protocol that is configured, if it is not the one that is used."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocols = [env.str(name, default="") for name in names]
    protocol = next(filter(None, protocols), PROTOCOL)
    return "" if protocol == PROTOCOL else str(protocol)


def has_tracing_packages() -> bool:
    """Return whether the packages of requirements/tracing.txt are installed."""
    try:
        return all(find_spec(name) for name in PACKAGES)
    except ModuleNotFoundError:  # of a parent
        return False
