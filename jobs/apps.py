"""The Django app."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Downloads"

    def __init__(self, app_name: str, app_module: Any) -> None:
        # Before the models are imported, which read settings.
        if not hasattr(settings, "KINDS"):
            raise ImproperlyConfigured(
                "The app jobs lacks its settings. Add `from jobs.default_settings import *` at the"
                " top of the settings."
            )
        if not hasattr(settings, "CELERY_APP"):
            raise ImproperlyConfigured(
                "The app jobs lacks a Celery app. Set CELERY_APP to the dotted path of one, such"
                " as `myproject.celery.app`."
            )
        super().__init__(app_name, app_module)

    def ready(self) -> None:
        from django.contrib import admin

        from jobs.kinds.registry import KINDS
        from jobs.operations import checks  # noqa: F401 # importing them registers them
        from jobs.operations.admin import register_admin_pages

        register_admin_pages(admin.site)
        if settings.TRACING:
            from jobs.lib.tracing.statements import trace_statements

            trace_statements()
        for kind in KINDS.values():
            if kind.checks:
                import_module(kind.checks)
