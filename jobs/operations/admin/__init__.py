"""The admin for operators: view, run again, cancel, send again."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django_celery_results.models import GroupResult, TaskResult
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from jobs.models import (
    ApiKey,
    BulkAction,
    DownloadJob,
    IncomingUpload,
    Notification,
    OidcIdentity,
    Preferences,
    QueueLimit,
    Schedule,
    StoredFile,
)
from jobs.operations.admin import (
    api_keys,
    bulk_actions,
    files,
    jobs,
    notifications,
    owners,
    queue_limits,
    schedules,
    task_results,
)

__all__ = ["register_admin_pages"]

PAGES: dict[type[Model], type[ModelAdmin[Any]]] = {
    DownloadJob: jobs.JobAdmin,
    QueueLimit: queue_limits.QueueLimitAdmin,
    BulkAction: bulk_actions.BulkActionAdmin,
    Schedule: schedules.ScheduleAdmin,
    ApiKey: api_keys.ApiKeyAdmin,
    Notification: notifications.NotificationAdmin,
    StoredFile: files.StoredFileAdmin,
    IncomingUpload: files.IncomingUploadAdmin,
    OidcIdentity: owners.OidcIdentityAdmin,
    Preferences: owners.PreferencesAdmin,
    TaskResult: task_results.TaskResults,
}
# Pages that replace Django's own, but not those of a project.
OF_DJANGO: dict[type[Model], tuple[type[ModelAdmin[Any]], type[ModelAdmin[Any]]]] = {
    User: (UserAdmin, owners.Accounts),
    Group: (GroupAdmin, owners.Groups),
}
# Results of groups are not used; the others show whole tokens.
HIDDEN: list[type[Model]] = [GroupResult, OutstandingToken, BlacklistedToken]


def register_admin_pages(site: AdminSite) -> None:
    """Register the pages of the service, and remove those of its packages that nobody needs."""
    for model in (*HIDDEN, *PAGES):
        if site.is_registered(model):
            site.unregister(model)
    for model, page in PAGES.items():
        site.register(model, page)
    for model, (of_django, page) in OF_DJANGO.items():
        if site.is_registered(model) and type(site.get_model_admin(model)) is of_django:
            site.unregister(model)
            site.register(model, page)
