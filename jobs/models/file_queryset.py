"""Querysets of stored files: who sees which, and what jobs read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Sum, Value
from django.db.models.functions import Now

from jobs.models.compiled import CompiledQuery, QuerySlot
from jobs.models.file_role import Role
from jobs.models.membership import group_ids_of
from jobs.models.sources import Sources

if TYPE_CHECKING:
    from jobs.models.stored_file import StoredFile

FILE_IDS = ArrayField(models.IntegerField(), name="file_ids")
LETTERS = 3  # a shorter search only matches the beginning of a name
PUBLIC = Q(owner=None, group=None)


class FileQuerySet(models.QuerySet["StoredFile"]):
    def numbered(self, file_ids: Sequence[int]) -> Self:
        """Return the files with these ids, sent as one array: there may be 100,000."""
        return self._of_array(Value(list(file_ids), output_field=FILE_IDS))

    def _of_array(self, file_ids: models.Expression) -> Self:
        return self.filter(file_id__in=Func(file_ids, template="(SELECT unnest(%(expressions)s))"))

    def few_visible_to(self, owner_id: int, file_ids: list[int]) -> list[StoredFile]:
        """Return the visible files with these ids, which are different.

        The queries are compiled and planned once. The one for files of groups only runs if others
        are not all of them.
        """
        found = _few_visible().rows(owner=owner_id, file_ids=file_ids)
        if len(found) < len(file_ids) and (of_groups := _few_of_groups()):
            found += of_groups.rows(owner=owner_id, file_ids=file_ids)
        return found

    def visible_to(self, owner_id: int | QuerySlot | None) -> Self:
        """Return the files that a user can see and bundle: public, own, and of their groups.

        None is for anonymous users. jobs_check_1 does the same in SQL.
        """
        seen = PUBLIC
        if owner_id is not None:
            seen |= Q(owner=owner_id)
            if (groups := group_ids_of(owner_id)) is not None:
                seen |= Q(group__in=groups)
        return self.available().filter(seen)

    def available(self) -> Self:
        """Return the numbered files that have not expired, and whose object is not missing."""
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=Now()),
            file_id__isnull=False,
            missing_since=None,
            deletion=None,
        )

    def visible_parts(self, owner_id: int, among: Sequence[str] = ()) -> list[Self]:
        """Return `visible_to` as disjoint querysets, each of which an index returns newest first.

        `among` limits them to some of "public", "private" and "group".
        """
        groups = group_ids_of(owner_id)
        parts = {
            "public": [PUBLIC],
            "private": [Q(owner=owner_id)],
            "group": [] if groups is None else [Q(group=group_id) for group_id in groups],
        }
        chosen = [part for name in among or parts for part in parts[name]]
        return [self.available().filter(part) for part in chosen]

    def listed(self) -> Self:
        """Return files without those that a job made beside its artifact, such as previews."""
        return self.filter(role__in=[Role.CATALOGUE, Role.ARTIFACT])

    def found_by(self, text: str) -> Self:
        """Return the files with the text in their name, or with this number."""
        # A pattern, since Postgres has no statistics of the UPPER(name) of `icontains`. One or two
        # letters make no trigram, except at the beginning.
        begins = "^" if len(text) < LETTERS else ""
        found = Q(name__iregex=begins + re.escape(text))
        if text.isascii() and text.isdigit() and len(text) < 10:
            found |= Q(file_id=int(text))
        return self.filter(found)

    def of_types(self, beginnings: Sequence[str]) -> Self:
        """Return the files whose content type begins with one of these."""
        return self.filter(
            Q(*(("content_type__startswith", each) for each in beginnings), _connector=Q.OR)
        )

    def in_folder(self, folder: str) -> Self:
        """Return the files in a folder and in the folders below it."""
        return self.filter(name__startswith=f"{folder}/")

    def in_own_bucket(self) -> Self:
        """Return the files in the service's bucket, which count as used storage."""
        return self.filter(bucket="")

    def made_by_jobs(self, job_ids: Sequence[str], owner_id: int) -> Self:
        """Return the artifacts of these jobs of the owner."""
        return self.filter(owner=owner_id, made_by__in=job_ids, role=Role.ARTIFACT)

    def read_by(self, sources: Sources, owner_id: int) -> Self:
        """Return the files that a job of the owner reads. jobs_check_1 does the same in SQL."""
        found = self.none()
        if sources.received_key:
            found |= self.received().filter(owner=owner_id, key=sources.received_key)
        if sources.made_by:
            found |= self.made_by_jobs(sources.made_by, owner_id)
        if sources.file_ids:
            found |= self.visible_to(owner_id).numbered(sources.file_ids)
        return found

    def received(self) -> Self:
        """Return uploaded files that are not processed yet. Nobody can download them."""
        return self.filter(role__in=[Role.UPLOAD, Role.QUARANTINED])

    def duplicate_of(self, file: StoredFile, kind: str) -> StoredFile | None:
        """Return the owner's newest result of this kind with the same content, or None."""
        # Of the same type, too: it depends on the name, and the previews depend on it.
        same = {"owner": file.owner_id, "sha256": file.sha256, "content_type": file.content_type}
        processed = {"role": Role.ARTIFACT, "made_by__kind": kind}
        kept = self.filter(file_id__isnull=False, expires_at__gt=Now(), deletion=None)
        found = kept.filter(**same, **processed)
        found = found.exclude(made_by__metadata__has_key="skipped")  # previews may be possible now
        return found.select_related("made_by").order_by("-pk").first()

    def not_kept(self) -> Self:
        """Return uploaded files that never completed and have expired."""
        return self.received().filter(expires_at__lt=Now())

    def quarantine(self) -> None:
        """Mark uploaded files as infected: kept for operators, and not for download."""
        expires_at = Now() + timedelta(seconds=settings.RESULT_KEPT_SECONDS)
        self.filter(role=Role.UPLOAD).update(role=Role.QUARANTINED, expires_at=expires_at)

    def previews(self) -> Self:
        """Return what jobs made beside their artifacts, such as previews."""
        return self.exclude(role__in=Role.values)

    def bytes(self) -> int:
        """Return the total size."""
        return int(self.aggregate(bytes=Sum("size_bytes", default=0))["bytes"])


@cache
def _few_visible() -> CompiledQuery[StoredFile]:
    return _few(PUBLIC | Q(owner=_owner_slot()))


@cache
def _few_of_groups() -> CompiledQuery[StoredFile] | None:
    groups = group_ids_of(_owner_slot())
    return None if groups is None else _few(Q(group__in=groups))


def _few(seen: Q) -> CompiledQuery[StoredFile]:
    files = apps.get_model("jobs", "StoredFile").objects.available().filter(seen)
    return CompiledQuery(files._of_array(QuerySlot(FILE_IDS)).order_by())


def _owner_slot() -> QuerySlot:
    return QuerySlot(apps.get_model("jobs", "StoredFile")._meta.get_field("owner"))
