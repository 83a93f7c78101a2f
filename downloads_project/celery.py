"""The Celery app. `celery -A downloads_project` finds it."""

from __future__ import annotations

import os
from typing import Any

import structlog
from celery import Celery, signals
from django.conf import settings

from jobs.engine.celery_app import configure_celery
from jobs.lib import logs
from jobs.lib.log_lines import write_line_at_once

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "downloads_project.settings")

app = Celery("downloads")
app.config_from_object("django.conf:settings", namespace="CELERY")
configure_celery(app)


@signals.setup_logging.connect
def _use_our_logs(**kwargs: Any) -> None:
    logs.configure_logs(settings.LOGGING)


@signals.celeryd_init.connect
def _log_from_the_start(instance: Any, **kwargs: Any) -> None:
    """Replace what Celery prints by lines of the log: its banner, and that it was told to stop."""
    from celery.apps import worker  # which other processes do not need

    def say(text: str, _stream: Any = None) -> None:
        write_line_at_once(text, "info")

    logs.configure_logs(settings.LOGGING)
    logs.log_uncaught_errors()
    instance.quiet = True
    worker.safe_say = say  # type: ignore[attr-defined]


@signals.celeryd_after_setup.connect
def _log_start(sender: str, instance: Any, **kwargs: Any) -> None:
    structlog.get_logger(__name__).info(
        "worker starts",
        worker=sender,
        queues=sorted(app.amqp.queues.consume_from),
        processes=instance.concurrency,
    )
