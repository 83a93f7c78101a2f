"""`manage.py dispatcher`: the process for periodic work. See jobs/engine/dispatcher.py."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from jobs.engine import dispatcher
from jobs.lib import preflight
from jobs.lib.process_memory import hide_process_secrets


class Command(BaseCommand):
    help = "Publish due jobs, rescue stalled ones, expire and delete old ones. Run one or more."

    def handle(self, *args: Any, **options: Any) -> None:
        hide_process_secrets()
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        preflight.log_preflight_servers()
        self.stdout.write("dispatcher ready")
        dispatcher.run_dispatcher(stop)
