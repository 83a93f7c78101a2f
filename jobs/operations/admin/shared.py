"""Base classes of admin pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import DataError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.lib.accounts import username_field
from jobs.models.job_queryset import JobQuerySet
from jobs.models.notification import NotificationQuerySet
from jobs.web.searching import searching

BULK_LIMIT = 500  # jobs in one request: as many as workers finish in minutes
OWNER_NAME = f"owner__{username_field()}"  # a lookup of the name that the owner signs in with
LISTED = 10_000  # newest rows; counting all of a million takes longer than showing fifty


class FilteredRows(ChangeList):
    """A list that rejects filter values that are out of range, such as the year -1.

    Fields in `unlisted` of its page are not read.
    """

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(*args, **kwargs)
        return rows.defer(*getattr(self.model_admin, "unlisted", ()))

    def get_results(self, request: HttpRequest) -> None:
        """Raises IncorrectLookupParameters, which Django handles, if the query fails."""
        try:
            super().get_results(request)
        except (DataError, OverflowError, ValueError) as error:
            raise IncorrectLookupParameters(error) from error


class Filtered:
    """Mixin for admin lists: an invalid filter in the URL is not a server error."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FilteredRows


class ReadOnly(Filtered):
    """Mixin for rows that cannot be added or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Chosen:
    """Mixin for actions on rows whose ids are UUIDs."""

    def action_checkbox(self, obj: Model) -> SafeString:
        """Return what Django returns, without rendering a template for each row."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select"'
            ' aria-label="Select this object for an action - {}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            obj,
        )

    def response_action(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        try:
            answer: HttpResponse | None = super().response_action(  # type: ignore[misc]
                request, *args, **kwargs
            )
        except ValidationError:  # an invalid id
            messages.error(request, "That is not one of the choices.")
            return None
        return answer


class Searched:
    """Mixin that limits searches in an admin list, as for those of owners."""

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # A POST is an action, which may take its time.
        text = request.GET.get("q", "") if request.method == "GET" else ""
        with searching(request, text):
            response: Any = super().changelist_view(  # type: ignore[misc]
                request, *args, **kwargs
            )
            if isinstance(response, TemplateResponse):
                response.render()  # runs the queries
        answer: HttpResponse = response
        return answer


class NewestPaginator(Paginator[Any]):
    """A paginator of the first LISTED rows."""

    @property
    def most(self) -> int:
        """The largest count; there may be more rows."""
        return LISTED

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list  # the admin passes querysets
        return int(rows.order_by()[:LISTED].count())


class KnownValuesFilter(admin.SimpleListFilter):
    """A filter with fixed values, applied to the newest rows.

    Django's own filter reads every row to find the values.
    """

    values: Iterable[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        assert isinstance(queryset, JobQuerySet | NotificationQuerySet)  # as they use it
        if not (chosen := self.value()):
            return queryset
        return queryset.newest().filter(**{str(self.parameter_name): chosen})
