"""The admin page of Celery's task results."""

from __future__ import annotations

from django.contrib import admin
from django_celery_results.admin import TaskResultAdmin
from django_celery_results.models import TaskResult

from jobs.operations.admin.shared import Filtered

admin.site.unregister(TaskResult)


@admin.register(TaskResult)
class TaskResults(Filtered, TaskResultAdmin):
    """The library's page, with safe filters."""
