"""The one Django app of this project."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Downloads"

    def ready(self) -> None:
        # Importing them registers them.
        from jobs.kinds.registry import KINDS
        from jobs.operations import admin, checks  # noqa: F401

        for kind in KINDS.values():
            if kind.checks:
                import_module(kind.checks)
