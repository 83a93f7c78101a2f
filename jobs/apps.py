"""The one Django app of this project."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Downloads"

    def ready(self) -> None:
        from jobs import checks  # noqa: F401 - importing it registers the system checks
