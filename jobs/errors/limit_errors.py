"""Limits that a request exceeds."""

from __future__ import annotations

from jobs.errors.base import JobError


class LimitReached(JobError):
    """The request exceeds a limit; nothing was recorded. `code` is public."""

    code = "limit_reached"
    retry_after_seconds = 60


class TooManyActive(LimitReached):
    code = "too_many_active"
    retry_after_seconds = 10


class TooManyUploads(LimitReached):
    code = "too_many_uploads"
    retry_after_seconds = 60


class TooManySchedules(LimitReached):
    code = "too_many_schedules"
    retry_after_seconds = 3600


class TooManyKeys(LimitReached):
    code = "too_many_keys"
    retry_after_seconds = 3600


class TooManyLinks(LimitReached):
    code = "too_many_links"
    retry_after_seconds = 3600


class StorageFull(LimitReached):
    code = "storage_full"
    retry_after_seconds = 3600


class StoreFull(LimitReached):
    code = "store_full"
    retry_after_seconds = 3600


class QueueFull(LimitReached):
    code = "overloaded"
    retry_after_seconds = 30
