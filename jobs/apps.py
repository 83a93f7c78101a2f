"""The one Django app of this project."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Downloads"

    def ready(self) -> None:
        # Importing registers: system checks, and what the OpenAPI document says of signing in.
        from jobs import checks  # noqa: F401
        from jobs.api import schemes  # noqa: F401
