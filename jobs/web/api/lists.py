"""Lists of jobs: newest first, paginated and filtered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import lazy
from django_filters import rest_framework as filters
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.models.job_queryset import JobQuerySet
from jobs.states import Status
from jobs.web.authentication import authenticated_user
from jobs.web.searching import searching
from jobs.web.serializers import JobSerializer

USER_ID = re.compile("[0-9]{1,18}")
FILE_LINKS = ("downloadUrl", "expiresIn", "processedFiles")  # only for the owner


class NewestFirstList(CursorPagination):
    page_size = 20
    max_page_size = 100
    page_size_query_param = "limit"
    ordering = ("-created_at", "-id")

    def get_page_size(self, request: Request) -> int:
        limit = request.query_params.get("limit", str(self.page_size))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= self.max_page_size):
            raise ValidationError({"limit": [f"Use a number from 1 to {self.max_page_size}."]})
        return int(limit)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_page_size}
        limit["default"] = self.page_size
        cursor = {"type": "string", "pattern": "^[A-Za-z0-9+/=]*$"}
        return [
            {"name": name, "in": "query", "description": description, "schema": schema}
            for name, description, schema in (
                ("limit", "The maximum number of jobs.", limit),
                ("cursor", "From `next` or `previous` of a page.", cursor),
            )
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        url = {"type": ["string", "null"], "format": "uri"}
        example = "https://downloads.example.org/v1/download/jobs?cursor=cD0yMDI2LTExLTIy"
        members = {
            "next": url | {"example": example},
            "previous": url | {"example": None},
            "results": schema,
        }
        return {"type": "object", "properties": members, "required": list(members)}

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                # In UTC: Postgres rejects an offset of 16 hours, which Python accepts.
                position: Any = datetime.fromisoformat(str(cursor.position)).astimezone(UTC)
                cursor = cursor._replace(position=position.isoformat())
        except (NotFound, ValueError, OverflowError) as error:
            raise ValidationError({"cursor": ["The cursor is not valid for this list."]}) from error
        return cursor


def _choice_filter(names: Callable[[], Iterable[str]], **options: Any) -> filters.ChoiceFilter:
    """Return a filter whose error names the choices, which are read at each request."""

    def error() -> str:
        return f"%(value)s is not a valid choice. Use one of: {', '.join(names())}."

    return filters.ChoiceFilter(
        choices=lambda: [(name, name) for name in names()],
        error_messages={"invalid_choice": lazy(error, str)()},
        **options,
    )


class JobFilter(filters.FilterSet):  # type: ignore[misc] # the library has no types
    status = _choice_filter(lambda: Status.values)
    kind = _choice_filter(lambda: KINDS, method="by_kind")
    search = filters.CharFilter(method="by_name_or_id", max_length=100, label="Name or ID")

    class Meta:
        model = DownloadJob
        fields = [
            "search",
            "status",
            "kind",
        ]  # in this order: a search reads all kinds

    def by_kind(self, jobs: JobQuerySet, name: str, value: str) -> JobQuerySet:
        return jobs.of_kind(value)

    def by_name_or_id(self, jobs: JobQuerySet, name: str, value: str) -> JobQuerySet:
        return jobs.found_by(value)


class SingleKindFilter(JobFilter):
    """The filter of a list with one kind."""

    kind = None

    class Meta(JobFilter.Meta):
        fields = ["search", "status"]  # without `kind`, for which the library would make a filter


class OwnJobList(ListAPIView[DownloadJob]):
    """List your jobs, newest first."""

    queryset = DownloadJob.objects.none()  # for the schema; see get_queryset
    serializer_class = JobSerializer
    pagination_class = NewestFirstList
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = JobFilter

    def get_queryset(self) -> QuerySet[DownloadJob]:
        jobs = DownloadJob.objects.of_owner(self._owner_id())
        return jobs.select_related("artifact").defer("params")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with searching(request, request.query_params.get("search", "")):
            response = super().list(request, *args, **kwargs)
        if self._owner_id() != authenticated_user(request).pk:
            for body in response.data["results"]:
                for name in FILE_LINKS:
                    body.pop(name, None)
        return response

    def _owner_id(self) -> int:
        """Return the owner of the listed jobs: the user, or `userId`, which only staff may set.

        Raises ValidationError and PermissionDenied.
        """
        own: int = authenticated_user(self.request).pk
        user_id = self.request.query_params.get("userId", "")
        if not user_id:
            return own
        if not USER_ID.fullmatch(user_id):
            raise ValidationError({"userId": ["The id of a user."]})
        if int(user_id) != own and not authenticated_user(self.request).is_staff:
            raise PermissionDenied("Only staff may list other users' downloads.")
        return int(user_id)


class OwnJobsOfKind(OwnJobList):
    """List your jobs of one kind, newest first."""

    kind: str
    filterset_class = SingleKindFilter

    def filter_queryset(self, queryset: Any) -> Any:
        jobs: Any = super().filter_queryset(queryset)
        return jobs.of_kind(self.kind)
