"""The Celery app. `celery -A downloads_project` finds it."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

from jobs.engine.celery_app import configure_celery
from jobs.lib import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "downloads_project.settings")

app = Celery("downloads")
app.config_from_object("django.conf:settings", namespace="CELERY")
configure_celery(app)


@signals.setup_logging.connect
def _use_our_logs(**kwargs: Any) -> None:
    logs.configure_logs(settings.LOGGING)
