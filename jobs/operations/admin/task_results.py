"""The admin page of Celery's task results."""

from __future__ import annotations

from django_celery_results.admin import TaskResultAdmin

from jobs.operations.admin.shared import ReadOnly


class TaskResults(ReadOnly, TaskResultAdmin):
    """The library's page, with safe filters. Celery alone adds results."""
