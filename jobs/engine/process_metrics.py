"""What a worker or dispatcher counts itself, and GET /metrics on a port of its own.

What is about the service as a whole is in the metrics of the web: jobs/operations/metrics/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server

log = structlog.get_logger(__name__)

SWEPT = Counter("downloads_swept", "Rows that a sweep of the dispatcher has handled.", ["sweep"])
SWEEP_FAILURES = Counter("downloads_sweep_failures", "Sweeps that raised an error.", ["sweep"])
TICK = Histogram("downloads_dispatcher_sweeps_seconds", "How long the frequent sweeps take.")
REPORTED = {
    "slots": Gauge("downloads_process_slots", "Jobs that this worker can run at once."),
    "memory_bytes": Gauge("downloads_process_memory_bytes", "Memory of it and its children."),
    "scratch_free": Gauge(
        "downloads_process_scratch_free_ratio", "Free share of its scratch disk."
    ),
}


def record_reported_metrics(facts: Mapping[str, Any]) -> None:
    """Set the gauges from what the process reports."""
    for name, gauge in REPORTED.items():
        gauge.set(facts.get(name, 0))


def serve_process_metrics() -> None:
    """Serve the metrics of this process on METRICS_PORT, if it is set. Never raises."""
    if not settings.METRICS_PORT:
        return
    try:
        start_http_server(settings.METRICS_PORT, settings.METRICS_HOST, REGISTRY)
    except OSError as error:
        log.warning("no metrics", port=settings.METRICS_PORT, error=repr(error))
