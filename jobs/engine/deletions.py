"""Delete jobs and files for their owner, and undo it.

What is deleted first only refers to its Deletion, so that nobody sees it any more. When that can no
longer be undone, deletion_sweep.py deletes the rows, and garbage.py their objects. Until then the
files count in the owner's storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.engine import quota
from jobs.kinds.registry import KINDS
from jobs.models import Deletion, DownloadJob, StoredFile
from jobs.states import ACTIVE, FINAL, Status

MAX_DELETED = 10_000  # expired jobs in one deletion
BATCH = 100  # jobs that are read at once
CHANGED = {"version": F("version") + 1, "updated_at": Now()}


class Skipped(StrEnum):
    """Why a job or file was not deleted."""

    ACTIVE = "active"  # cancel it first
    NEEDED = "needed"  # an active job depends on it, or reads it
    PREVIEW = "preview"  # delete its file
    NOT_FOUND = "not_found"


class Item(NamedTuple):
    """What a request names, and what that is: a job with its files, or one file."""

    name: UUID | int
    job_id: UUID | None = None
    file_pk: int | None = None
    is_preview: bool = False


@dataclass(frozen=True)
class Deleted:
    """What a request deleted, and what not. Without a deletion, nothing was."""

    deletion: Deletion | None = None
    skipped: Mapping[UUID | int, Skipped] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return self.deletion.count if self.deletion else 0


def delete_jobs(owner: User, job_ids: Iterable[UUID]) -> Deleted:
    """Delete finished jobs of the owner, with their files. Raises OwnerBusy."""
    return _delete(owner, [Item(job_id, job_id) for job_id in dict.fromkeys(job_ids)])


def delete_expired_jobs(owner: User) -> Deleted:
    """Delete the owner's expired jobs, at most MAX_DELETED. Raises OwnerBusy."""
    expired = DownloadJob.objects.of_owner(owner.pk).filter(status=Status.EXPIRED)
    ids = expired.order_by("created_at", "pk").values_list("pk", flat=True)
    return delete_jobs(owner, list(ids[:MAX_DELETED]))


def delete_files(owner: User, file_ids: Iterable[int]) -> Deleted:
    """Delete files of the owner. The file of a job goes with its job. Raises OwnerBusy.

    A preview is skipped: it goes with its file.
    """
    numbers = list(dict.fromkeys(file_ids))
    own = StoredFile.objects.visible_to(owner.pk).filter(owner=owner).numbered(numbers)
    found = {file.file_id: _item(file) for file in own}
    return _delete(owner, [found.get(number, Item(number)) for number in numbers])


def _item(file: StoredFile) -> Item:
    number = file.file_id or 0  # visible files have one
    if file.made_by_id is None:
        return Item(number, file_pk=file.pk)
    is_artifact = file.role == StoredFile.Role.ARTIFACT
    return Item(number, file.made_by_id, is_preview=not is_artifact)


def _delete(owner: User, items: list[Item]) -> Deleted:
    with transaction.atomic():
        # So that no job of the owner starts to read the files meanwhile.
        quota.lock_owners([owner.pk])
        skipped = _skipped(owner, items)
        chosen = [item for item in items if item.name not in skipped]
        if not chosen:
            return Deleted(skipped=skipped)
        deletion = Deletion.objects.create(owner=owner)
        deletion.refresh_from_db()
        job_ids = {item.job_id for item in chosen if item.job_id}
        jobs = DownloadJob.objects.of_owner(owner.pk).filter(pk__in=job_ids, status__in=FINAL)
        # Without its key: the same request again starts a new job.
        no_key = {"idempotency_key": "", "request_hash": ""}
        deletion.count = jobs.update(deletion=deletion, **no_key, **CHANGED)
        StoredFile.objects.filter(made_by__deletion=deletion).update(deletion=deletion)
        files = StoredFile.objects.filter(pk__in=[item.file_pk for item in chosen if item.file_pk])
        deletion.count += files.filter(deletion=None).update(deletion=deletion)
        deletion.save(update_fields=["count"])
    return Deleted(deletion, skipped)


def _skipped(owner: User, items: list[Item]) -> dict[UUID | int, Skipped]:
    """Return what is not the owner's, or active, or what an active job needs."""
    job_ids = {item.job_id for item in items if item.job_id}
    jobs = DownloadJob.objects.of_owner(owner.pk).filter(pk__in=job_ids)
    statuses = dict(jobs.values_list("pk", "status"))
    needed = _needed(owner, items)
    skipped: dict[UUID | int, Skipped] = {}
    for item in items:
        if item.file_pk is None and item.job_id not in statuses:
            skipped[item.name] = Skipped.NOT_FOUND
        elif item.is_preview:
            skipped[item.name] = Skipped.PREVIEW
        elif item.job_id and statuses[item.job_id] in ACTIVE:
            skipped[item.name] = Skipped.ACTIVE
        elif item.job_id in needed or item.file_pk in needed:
            skipped[item.name] = Skipped.NEEDED
    return skipped


def _needed(owner: User, items: list[Item]) -> set[UUID | int | None]:
    """Return the ids of the jobs and files that the owner's active jobs depend on, or read."""
    job_ids = [item.job_id for item in items if item.job_id]
    links = DownloadJob.after.through.objects.filter(
        to_downloadjob__in=job_ids, from_downloadjob__status__in=ACTIVE
    )
    needed: set[UUID | int | None] = set(links.values_list("to_downloadjob", flat=True))
    named = Q(made_by__in=job_ids) | Q(pk__in=[item.file_pk for item in items if item.file_pk])
    files = StoredFile.objects.filter(named, file_id__isnull=False)
    numbers = {file.file_id: file.made_by_id or file.pk for file in files}
    read = _numbers_read(owner) if numbers else set()
    return needed | {maker for number, maker in numbers.items() if number in read}


def _numbers_read(owner: User) -> set[int]:
    """Return the numbers of the files that active jobs of the owner read."""
    numbers: set[int] = set()
    active = DownloadJob.objects.filter(owner=owner, kind__in=list(KINDS)).unfinished()
    for kind, params in active.values_list("kind", "params").iterator(chunk_size=BATCH):
        if sources := KINDS[kind].stored_files(params):
            numbers.update(sources.file_ids)
    return numbers


def undo_deletion(owner: User, deletion_id: UUID) -> int:
    """Restore what was deleted. Return how many jobs and files; 0 if it is too late."""
    with transaction.atomic():
        undoable = Deletion.objects.can_be_undone(owner.pk).filter(pk=deletion_id)
        deletion = undoable.select_for_update().first()
        if deletion is None:
            return 0
        deletion.files.update(deletion=None)
        deletion.jobs.update(deletion=None, **CHANGED)
        deletion.delete()
    return deletion.count
