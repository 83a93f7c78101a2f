"""Permissions of staff for other owners' jobs, the same as in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request

from jobs.models.bulk_action import JobAction

VIEW, CHANGE = "jobs.view_downloadjob", "jobs.change_downloadjob"
RETRY, CANCEL = "jobs.retry_downloadjob", "jobs.cancel_downloadjob"
CHANGE_PRIORITY, DELETE = "jobs.change_priority_downloadjob", "jobs.delete_downloadjob"


def can_view_all_jobs(user: User | AnonymousUser) -> bool:
    """Return whether the user is staff and may view or change jobs."""
    return bool(user.is_staff and (user.has_perm(VIEW) or user.has_perm(CHANGE)))


def can_change_all_jobs(user: User | AnonymousUser) -> bool:
    """Return whether the user is staff and may change jobs."""
    return bool(user.is_staff and user.has_perm(CHANGE))


def can_retry_all_jobs(user: User | AnonymousUser) -> bool:
    """Return whether the user is staff and may retry jobs, or change them."""
    return can_change_all_jobs(user) or bool(user.is_staff and user.has_perm(RETRY))


def can_cancel_all_jobs(user: User | AnonymousUser) -> bool:
    """Return whether the user is staff and may cancel jobs, or change them."""
    return can_change_all_jobs(user) or bool(user.is_staff and user.has_perm(CANCEL))


def can_change_priorities(user: User | AnonymousUser) -> bool:
    """Return whether the user is staff and may change the priority of jobs, or change them."""
    return can_change_all_jobs(user) or bool(user.is_staff and user.has_perm(CHANGE_PRIORITY))


def can_delete_all_jobs(user: User | AnonymousUser) -> bool:
    """Return whether the user is staff and may delete jobs that have ended."""
    return bool(user.is_staff and user.has_perm(DELETE))


ALLOWED = {
    JobAction.RETRY: can_retry_all_jobs,
    JobAction.CANCEL: can_cancel_all_jobs,
    JobAction.CHANGE_PRIORITY: can_change_priorities,
    JobAction.DELETE: can_delete_all_jobs,
}


def can_do_job_action(user: User | AnonymousUser, action: JobAction) -> bool:
    """Return whether the user may do this with the jobs of all owners."""
    return ALLOWED[action](user)


class CanViewAllJobs(IsAdminUser):
    message = f"Only staff may see everyone's downloads, with the permission {VIEW}."

    def has_permission(self, request: Request, _view: Any) -> bool:
        return can_view_all_jobs(request.user)


class CanRetryAllJobs(IsAdminUser):
    message = f"Only staff may retry others' downloads, with the permission {RETRY}."

    def has_permission(self, request: Request, _view: Any) -> bool:
        return can_retry_all_jobs(request.user)
