"""The one Django app of this project."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Downloads"

    def ready(self) -> None:
        # Importing them registers them.
        from jobs.operations import admin, checks  # noqa: F401
