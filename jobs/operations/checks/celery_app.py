"""Check that the project's Celery app can run jobs. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from jobs.engine.celery_app import celery_app, is_configured


@register
def check_celery_app(**kwargs: Any) -> list[CheckMessage]:
    try:
        app = celery_app()
    except ImportError as error:
        return [
            Error(
                f"CELERY_APP is {settings.CELERY_APP!r}: {error}.",
                hint="Set CELERY_APP to the dotted path of an app, such as myproject.celery.app.",
                id="jobs.E042",
            )
        ]
    if is_configured(app):
        return []
    return [
        Error(
            f"The Celery app {settings.CELERY_APP} cannot run jobs.",
            hint="Call jobs.engine.celery_app.configure_celery with it, where it is made.",
            id="jobs.E043",
        )
    ]
