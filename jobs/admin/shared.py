"""What the pages of several kinds of rows have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from jobs.models.job_queryset import JobQuerySet

LISTED = 10_000  # of the newest rows; counting a million would take longer than showing fifty


class ReadOnly:
    """Rows are written by the service alone."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Newest(Paginator[Any]):
    """Pages through the first LISTED rows."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list  # the admin gives it querysets alone
        return int(rows.order_by()[:LISTED].count())


class Known(admin.SimpleListFilter):
    """A filter of the newest for values that we know, of which there may be none.

    Django's own would read every row to learn them.
    """

    values: Iterable[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        assert isinstance(queryset, JobQuerySet)  # the model's only manager makes no others
        if not (chosen := self.value()):
            return queryset
        return queryset.newest().filter(**{str(self.parameter_name): chosen})
