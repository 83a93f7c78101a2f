"""The admin pages of stored files and of unfinished uploads."""

from __future__ import annotations

from itertools import chain
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.kinds.registry import KINDS
from jobs.lib.file_size import file_size_text
from jobs.models import IncomingUpload, StoredFile
from jobs.operations.admin.cells import short_time
from jobs.operations.admin.shared import OWNER_NAME, NewestPaginator, ReadOnly, Searched


class RoleFilter(admin.SimpleListFilter):
    """Filter by role. Django's own filter reads every row to find the values."""

    title = "role"
    parameter_name = "role__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        attached = chain.from_iterable(kind.roles.items() for kind in KINDS.values())
        return [*StoredFile.Role.choices, *attached]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StoredFile]) -> Any:
        return queryset.filter(role=self.value()) if self.value() else queryset


class MissingFilter(admin.SimpleListFilter):
    """Filter by whether the object was there when the bucket was registered last."""

    title = "object"
    parameter_name = "object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("missing", "Missing"), ("there", "There")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StoredFile]) -> Any:
        if not self.value():
            return queryset
        return queryset.filter(missing_since__isnull=self.value() == "there")


class StoredFileAdmin(Searched, ReadOnly, admin.ModelAdmin[StoredFile]):
    list_display = [
        "name",
        "file_id",
        "role",
        "seen_by",
        "bucket",
        "size",
        "content_type",
        "created",
        "expires",
        "missing",
    ]
    list_filter = [RoleFilter, MissingFilter]
    list_select_related = ["owner", "group"]
    list_per_page = 50
    paginator = NewestPaginator
    search_fields = ["=file_id", "name", OWNER_NAME]
    search_help_text = "Search by file number, name, or owner"
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    class Media:
        css = {"all": ["jobs/admin.css"]}

    @admin.display(description="seen by", ordering="owner")
    def seen_by(self, file: StoredFile) -> str:
        """Return the owner, the group, or 'everybody' for a file that has neither."""
        return str(file.owner or (f"group {file.group}" if file.group else "everybody"))

    @admin.display(description="missing since", ordering="missing_since")
    def missing(self, file: StoredFile) -> str:
        return short_time(file.missing_since) if file.missing_since else "-"

    @admin.display(description="size", ordering="size_bytes")
    def size(self, file: StoredFile) -> str:
        return file_size_text(file.size_bytes)

    @admin.display(description="created", ordering="created_at")
    def created(self, file: StoredFile) -> str:
        return short_time(file.created_at)

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, file: StoredFile) -> str:
        return short_time(file.expires_at) if file.expires_at else "-"


class IncomingUploadAdmin(Searched, ReadOnly, admin.ModelAdmin[IncomingUpload]):
    """Unfinished uploads."""

    list_display = ["name", "owner", "share", "size", "created_at", "touched_at"]
    list_select_related = ["owner"]
    list_per_page = 50
    paginator = NewestPaginator
    ordering = ["-touched_at"]
    search_fields = ["name", OWNER_NAME]
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="here")
    def share(self, upload: IncomingUpload) -> str:
        if not upload.chunk_bytes:
            return "coming"  # in one form
        return f"{upload.received_bytes * 100 // upload.size_bytes} %"

    @admin.display(description="size", ordering="size_bytes")
    def size(self, upload: IncomingUpload) -> str:
        return file_size_text(upload.size_bytes)
