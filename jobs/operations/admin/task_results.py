"""The admin page of Celery's task results."""

from __future__ import annotations

from django_celery_results.admin import TaskResultAdmin

from jobs.operations.admin.shared import Filtered


class TaskResults(Filtered, TaskResultAdmin):
    """The library's page, with safe filters."""
