"""The rows of registered files: read and written in batches, so any number of them fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.db.models.functions import Now

from jobs.lib.database import retry_database_write
from jobs.lib.names import safe_name, safe_path
from jobs.models import StoredFile
from jobs.models.stored_file import MAX_PATH_CHARS
from jobs.storage import ExaminedObject, StoredObject

ROWS = 2_000  # that are read at once
CONTENT = ["content_type", "size_bytes", "sha256", "crc32", "etag", "created_at"]
CHANGED = [*CONTENT, "missing_since", "owner", "group"]  # of a row that is there already

# Keys are compared byte by byte, as stores list them: the order of the index file_key_in_bucket.
KNOWN = """
SELECT id, key, size_bytes, etag, owner_id, group_id, missing_since IS NOT NULL, role = 'catalogue'
FROM jobs_storedfile
WHERE bucket = %s AND key ~>~ %s AND (%s OR key ~<=~ %s) AND key LIKE %s
ORDER BY key USING ~<~ LIMIT %s
"""


class KnownFile(NamedTuple):
    """What is known of an object from its row. `is_registered`: it is not of a job."""

    pk: int
    key: str
    size_bytes: int
    etag: str
    owner_id: int | None
    group_id: int | None
    is_missing: bool
    is_registered: bool


@dataclass(frozen=True)
class Catalogue:
    """Who sees the files of a registration, their names, and their rows.

    `bucket` is empty for the service's own, where jobs store files below `reserved` prefixes.
    """

    bucket: str
    prefix: str
    folder: str
    owner_id: int | None
    group_id: int | None
    reserved: tuple[str, ...] = ()

    def accepts(self, key: str) -> bool:
        """Return whether an object can be a file: no folder, and not of a job."""
        return not key.endswith("/") and not key.startswith(self.reserved) and "\0" not in key

    def known(self, after: str, upto: str | None) -> Iterator[list[KnownFile]]:
        """Yield the rows below the prefix whose keys are in this range, some at a time."""
        pattern = re.sub(r"([\\%_])", r"\\\1", self.prefix) + "%"
        while True:
            with connection.cursor() as cursor:
                values: list[Any] = [self.bucket, after, upto is None, upto or "", pattern, ROWS]
                cursor.execute(KNOWN, values)
                rows = [KnownFile._make(row) for row in cursor.fetchall()]
            if rows:
                yield rows
            if len(rows) < ROWS:
                return
            after = rows[-1].key

    def is_current(self, row: KnownFile, found: StoredObject) -> bool:
        """Return whether the object is the one that was read for the row."""
        return (row.size_bytes, row.etag) == (found.size_bytes, found.etag)

    def is_seen_by_others(self, row: KnownFile) -> bool:
        """Return whether the row has to change though its object has not."""
        return row.is_missing or (row.owner_id, row.group_id) != (self.owner_id, self.group_id)

    def write(self, examined: Sequence[tuple[StoredObject, ExaminedObject]]) -> None:
        """Insert rows, or update those that are there. Names that were changed stay."""
        if examined:
            retry_database_write(lambda: self._write(examined))

    def show(self, ids: Sequence[int]) -> None:
        """Set who sees these files, whose objects are there."""
        seen_by = {"owner_id": self.owner_id, "group_id": self.group_id}
        _update(ids, missing_since=None, **seen_by)

    def hide(self, ids: Sequence[int]) -> None:
        """Mark files whose objects are gone."""
        _update(ids, missing_since=Now())

    def name_of(self, key: str) -> str:
        """Return the name of the file: its key below the prefix, in the folder."""
        below = key[self.prefix.rfind("/") + 1 :]
        return safe_path(f"{self.folder}/{below}", MAX_PATH_CHARS) or safe_name(key)

    def _write(self, examined: Sequence[tuple[StoredObject, ExaminedObject]]) -> None:
        rows = zip(examined, _numbers(len(examined)), strict=True)
        StoredFile.objects.bulk_create(
            [self._row(found, content, number) for (found, content), number in rows],
            update_conflicts=True,
            unique_fields=["key", "bucket"],
            update_fields=CHANGED,
        )

    def _row(self, found: StoredObject, content: ExaminedObject, file_id: int) -> StoredFile:
        return StoredFile(
            file_id=file_id,
            bucket=self.bucket,
            key=found.key,
            name=self.name_of(found.key),
            size_bytes=found.size_bytes,
            etag=found.etag,
            created_at=found.modified_at,
            owner_id=self.owner_id,
            group_id=self.group_id,
            **content._asdict(),
        )


def _numbers(count: int) -> Iterable[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('jobs_file_number') FROM generate_series(1, %s)", [count])
        return [number for (number,) in cursor.fetchall()]


def _update(ids: Sequence[int], **columns: Any) -> None:
    def update() -> None:
        StoredFile.objects.filter(pk__in=ids).update(**columns)

    if ids:
        retry_database_write(update)
