"""Delete everything about one user. Only `manage.py forget_user` uses it.

If it is interrupted, or the store is unavailable, it can be started again. Statistics stay: they
name nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django_celery_results.models import TaskResult
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from jobs import storage
from jobs.errors import StaleJob
from jobs.kinds.registry import kind_folders
from jobs.models import (
    ApiKey,
    BulkAction,
    DownloadJob,
    IncomingUpload,
    JobEvent,
    Notification,
    OidcIdentity,
    QueueLimit,
    Schedule,
    ShareLink,
    StoredFile,
)
from jobs.states import Actor

BATCH = 100  # jobs, with their objects
M = TypeVar("M", bound=models.Model)


def count_personal_data(user: User) -> dict[str, int]:
    """Return how many rows of each sort the user has."""
    files = StoredFile.objects.filter(owner=user)
    return {
        "jobs": DownloadJob.objects.filter(owner=user).count(),
        "events": JobEvent.objects.filter(job__owner=user).count(),
        "files": files.count(),
        "bytes": files.bytes(),
        "unfinished uploads": IncomingUpload.objects.filter(owner=user).count(),
        "share links": ShareLink.objects.filter(owner=user).count(),
        "schedules": Schedule.objects.filter(owner=user).count(),
        "notifications": Notification.objects.filter(owner=user).count(),
        "queue limits": QueueLimit.objects.filter(owner=user).count(),
        "API keys": ApiKey.objects.filter(owner=user).count(),
        "refresh tokens": OutstandingToken.objects.filter(user=user).count(),
        "sessions": len(_session_keys(user)),
    }


def cancel_jobs(user: User) -> None:
    """Cancel the user's queued and running jobs, and deactivate the account."""
    _deactivate(user)
    for job in DownloadJob.objects.filter(owner=user).unfinished().iterator():
        try:
            job.cancel(Actor.OPERATOR)
        except StaleJob:
            continue  # it has just finished


def forget_user(user: User) -> None:
    """Delete the user, whose jobs are finished, with all rows and objects.

    Raises StorageUnavailable. An attempt that outlives its job may still store an object, which
    `audit_storage` finds.
    """
    _deactivate(user)
    Session.objects.filter(pk__in=_session_keys(user)).delete()
    OutstandingToken.objects.filter(user=user).delete()
    if user.email:  # what somebody requested without signing in
        account_mails = Notification.objects.filter(channel=Notification.Channel.ACCOUNT)
        account_mails.filter(to__iexact=user.email).delete()
    _remove_from_operator_mails(user)
    _delete_schedules(user)
    _delete_api_keys(user)
    identities = OidcIdentity.objects.filter(user=user)
    _log_entries(OidcIdentity, [str(each.pk) for each in identities]).delete()
    _remove_from_bulk_actions(user)
    for jobs in _batches(DownloadJob.objects.filter(owner=user)):
        _delete_jobs(jobs)
    for uploads in _batches(IncomingUpload.objects.filter(owner=user)):
        for upload in uploads:
            storage.delete_object_and_uploads(upload.key)
            upload.delete()
    for files in _batches(StoredFile.objects.filter(owner=user)):
        for file in files:  # of no job
            if not file.is_registered:
                storage.delete_object_and_uploads(file.key)
            file.delete()
    _log_entries(User, [str(user.pk)]).delete()
    _limit_log_entries(user).delete()
    user.delete()  # and what refers to it: settings, webhooks, messages, the sum of its files


def _deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)  # requests nothing more


def _batches(rows: models.QuerySet[M]) -> Iterator[list[M]]:
    """Yield rows until there are none. The caller deletes them."""
    while batch := list(rows.order_by()[:BATCH]):
        yield batch


def _delete_schedules(user: User) -> None:
    schedules = Schedule.objects.filter(owner=user)
    _log_entries(Schedule, [str(schedule.pk) for schedule in schedules]).delete()
    schedules.delete()


def _remove_from_bulk_actions(user: User) -> None:
    """Remove the user from the filters of bulk actions. Their reports stay."""
    own = {user.get_username().casefold(), user.email.casefold()} - {""}
    for bulk in BulkAction.objects.exclude(query="").iterator():
        kept = [pair for pair in parse_qsl(bulk.query) if own.isdisjoint({pair[1].casefold()})]
        if (query := urlencode(kept)) != bulk.query:
            BulkAction.objects.filter(pk=bulk.pk).update(query=query)


def _delete_api_keys(user: User) -> None:
    keys = ApiKey.objects.filter(owner=user)
    _log_entries(ApiKey, [str(key.pk) for key in keys]).delete()
    keys.delete()


def _delete_jobs(jobs: list[DownloadJob]) -> None:
    ids = [job.pk for job in jobs]
    files = StoredFile.objects.filter(made_by__in=ids)
    with transaction.atomic():
        # If this process dies, `collect_at` tells the next one that there are objects left.
        with_files = DownloadJob.objects.filter(Q(files__in=files) | Q(artifact__isnull=False))
        with_files.filter(pk__in=ids).update(artifact=None, collect_at=Now())
        files.delete()
    for job_id in DownloadJob.objects.filter(pk__in=ids, collect_at__isnull=False).values_list(
        "pk", flat=True
    ):
        for folder in kind_folders():  # the kind may be one that is no longer installed
            storage.delete_all_objects_but([], prefix=f"{folder}/{job_id}/")
    task_ids = [job.task_id for job in jobs if job.task_id]
    TaskResult.objects.filter(task_id__in=task_ids).delete()
    _log_entries(DownloadJob, [str(pk) for pk in ids]).delete()
    DownloadJob.objects.filter(pk__in=ids).only("pk").delete()


def _log_entries(model: type[models.Model], ids: list[str]) -> models.QuerySet[LogEntry]:
    content_type = ContentType.objects.get_for_model(model)
    return LogEntry.objects.filter(content_type=content_type, object_id__in=ids)


def _limit_log_entries(user: User) -> models.QuerySet[LogEntry]:
    """Return the entries about limits and pauses of the user; their rows may be gone."""
    content_type = ContentType.objects.get_for_model(QueueLimit)
    name = str(QueueLimit(scope=QueueLimit.Scope.OWNER, owner=user))
    return LogEntry.objects.filter(content_type=content_type, object_repr=name)


def _session_keys(user: User) -> list[str]:
    """Return the user's sessions. Their content is encoded, so that all of them are read."""
    sessions = Session.objects.filter(expire_date__gt=Now())
    return [
        session.session_key
        for session in sessions.iterator()
        if session.get_decoded().get("_auth_user_id") == str(user.pk)
    ]


def _remove_from_operator_mails(user: User) -> None:
    """Remove the user's jobs from the examples in mails to operators."""
    mails = Notification.objects.filter(channel=Notification.Channel.OPERATORS)
    for mail in mails.iterator():
        examples = mail.content.get("examples", [])
        ids = [example["jobId"] for example in examples]
        own = set(
            map(
                str, DownloadJob.objects.filter(owner=user, pk__in=ids).values_list("pk", flat=True)
            )
        )
        if own:
            kept = [example for example in examples if example["jobId"] not in own]
            Notification.objects.filter(pk=mail.pk).update(
                content=mail.content | {"examples": kept}
            )
