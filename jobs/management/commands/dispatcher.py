"""`manage.py dispatcher`: the process for periodic work. See jobs/engine/dispatcher.py."""

from __future__ import annotations

import signal
import threading
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand

from jobs.engine import dispatcher
from jobs.lib import logs, preflight
from jobs.lib.process_memory import hide_process_secrets

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    requires_system_checks = ()  # it would print them; `_check_settings` logs them
    help = "Publish due jobs, rescue stalled ones, expire and delete old ones. Run one or more."

    def handle(self, *args: Any, **options: Any) -> None:
        hide_process_secrets()
        logs.log_uncaught_errors()
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        _check_settings()
        log.info("dispatcher ready")
        dispatcher.run_dispatcher(stop)
        if settings.TRACING:
            from jobs.lib.tracing.tracer_provider import stop_tracing

            stop_tracing()


def _check_settings() -> None:
    """Log what the checks find; raise SystemExit if the settings contradict each other."""
    if found := preflight.preflight_contradictions():
        for sentence in found:
            log.critical(sentence)
        raise SystemExit(1)
    preflight.log_preflight_warnings()
    preflight.log_preflight_servers()
