"""Permissions of staff for other owners' jobs, the same as in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request

VIEW, CHANGE = "jobs.view_downloadjob", "jobs.change_downloadjob"
RETRY, CANCEL = "jobs.retry_downloadjob", "jobs.cancel_downloadjob"


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


class CanViewAllJobs(IsAdminUser):
    message = f"Only staff may see everyone's downloads, with the permission {VIEW}."

    def has_permission(self, request: Request, _view: Any) -> bool:
        return can_view_all_jobs(request.user)


class CanRetryAllJobs(IsAdminUser):
    message = f"Only staff may retry others' downloads, with the permission {RETRY}."

    def has_permission(self, request: Request, _view: Any) -> bool:
        return can_retry_all_jobs(request.user)
