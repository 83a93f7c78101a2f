"""Compare the rows of stored files with the objects in the bucket, and repair what differs.

It lists the whole bucket, so it is for an operator, not for the dispatcher. Rows and objects come
in the order of their keys, so memory does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.db.models import TextChoices
from django.db.models.functions import Collate

from jobs import storage
from jobs.errors import SourceMissing
from jobs.kinds.registry import kind_folders
from jobs.lib.digest import Digest
from jobs.models import DownloadJob, IncomingUpload, StoredFile

BATCH = 1000  # objects without a row, or rows without an object, that are looked up at once
ROWS = 5000  # that are fetched at once


class AuditProblem(TextChoices):
    MISSING = "missing"  # a row without an object
    UNKNOWN = "unknown"  # an object without a row
    UNFINISHED = "unfinished"  # a multipart upload without a job
    WRONG_SIZE = "wrong_size"
    WRONG_SUM = "wrong_sum"  # another SHA-256


class Finding(NamedTuple):
    problem: AuditProblem
    key: str
    detail: str = ""
    file_pk: int | None = None


class Row(NamedTuple):
    pk: int
    key: str
    size_bytes: int
    sha256: str


@dataclass
class AuditCounts:
    """What was compared so far."""

    rows: int = 0
    objects: int = 0


def audit_storage(
    before: datetime, counts: AuditCounts, *, with_sums: bool = False
) -> Iterator[Finding]:
    """Yield what differs. Objects written since `before` may still get their row.

    Raises StorageUnavailable. `with_sums` reads every object that has a row.
    """
    folders = tuple(f"{folder}/" for folder in kind_folders())
    missing: list[Row] = []
    unknown: list[str] = []
    for row, found in _side_by_side(_rows(), storage.list_objects("")):
        counts.rows += row is not None
        counts.objects += found is not None
        if row and found:
            yield from _compare(row, found, with_sums=with_sums)
        elif row:
            missing.append(row)
        elif found and found.modified_at < before and found.key.startswith(folders):
            unknown.append(found.key)
        if len(missing) == BATCH:
            yield from _still_missing(missing)
            missing.clear()
        if len(unknown) == BATCH:
            yield from _findings(AuditProblem.UNKNOWN, unknown)
            unknown.clear()
    yield from _still_missing(missing)
    yield from _findings(AuditProblem.UNKNOWN, unknown)
    for folder in folders:
        uploads = storage.list_open_uploads(folder)
        keys = (upload["Key"] for upload in uploads if upload["Initiated"] < before)
        while batch := list(islice(keys, BATCH)):
            yield from _findings(AuditProblem.UNFINISHED, batch)


def _rows() -> Iterator[Row]:
    # Without a transaction, the cursor is one that Postgres keeps the whole result for.
    # Nothing is to be repaired of registered objects that are known to be gone.
    files = StoredFile.objects.in_own_bucket().filter(missing_since=None)
    files = files.order_by(Collate("key", "C"))
    for values in files.values_list(*Row._fields).iterator(chunk_size=ROWS):
        yield Row(*values)


def _side_by_side(
    rows: Iterator[Row], objects: Iterator[storage.StoredObject]
) -> Iterator[tuple[Row | None, storage.StoredObject | None]]:
    """Yield rows and objects by their keys: both, or one and None."""
    # Rows first: the object of a row that was read is stored, and listed.
    row, found = next(rows, None), next(objects, None)
    while row or found:
        if row and found and row.key == found.key:
            yield row, found
            row, found = next(rows, None), next(objects, None)
        elif row and (not found or row.key < found.key):
            yield row, None
            row = next(rows, None)
        else:
            yield None, found
            found = next(objects, None)


def _compare(row: Row, found: storage.StoredObject, *, with_sums: bool) -> Iterator[Finding]:
    if row.size_bytes != found.size_bytes:
        detail = f"{found.size_bytes} bytes instead of {row.size_bytes}"
        yield Finding(AuditProblem.WRONG_SIZE, row.key, detail, row.pk)
    elif with_sums and row.sha256:
        digest = Digest()
        try:
            for chunk in storage.read_object(row.key):
                digest.update(chunk)
        except SourceMissing:  # deleted since it was listed, or it is lost
            yield from _still_missing([row])
            return
        if digest.sha256 != row.sha256:
            yield Finding(AuditProblem.WRONG_SUM, row.key, f"SHA-256 {digest.sha256}", row.pk)


def _still_missing(rows: Iterable[Row]) -> Iterator[Finding]:
    """Yield the rows that were not deleted meanwhile. A row is deleted before its object is."""
    rows = list(rows)
    left = StoredFile.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True)
    kept = set(left)
    for row in rows:
        if row.pk in kept:
            yield Finding(AuditProblem.MISSING, row.key, f"{row.size_bytes} bytes", row.pk)


def _findings(problem: AuditProblem, keys: list[str]) -> Iterator[Finding]:
    # Active jobs before files: a job that succeeds in between is found by one of the queries.
    ids = {key: key.split("/")[1] for key in keys}
    job_ids = list(filter(_is_id, ids.values()))
    coming = IncomingUpload.objects.filter(pk__in=job_ids).values_list("pk", flat=True)
    active = DownloadJob.objects.unfinished().filter(pk__in=job_ids).values_list("pk", flat=True)
    spared = {str(each) for each in [*coming, *active]}
    known = set(
        StoredFile.objects.in_own_bucket().filter(key__in=keys).values_list("key", flat=True)
    )
    for key in dict.fromkeys(keys):
        if key not in known and ids[key] not in spared:
            yield Finding(problem, key)


def _is_id(text: str) -> bool:
    with suppress(ValueError):
        return str(UUID(text)) == text
    return False
