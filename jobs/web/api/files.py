"""Stored files: list, get, change, delete."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine.deletions import delete_files
from jobs.models import FileQuerySet, StoredFile
from jobs.models.stored_file import MAX_FILE_ID
from jobs.web.api.lists import NewestFirstList
from jobs.web.authentication import authenticated_user
from jobs.web.file_types import TYPES, type_beginnings
from jobs.web.files import (
    CHANGE,
    DELETE,
    MAX_FOLDER_CHARS,
    FileChanges,
    FileSerializer,
    check_may_change,
    represent_stored_file,
    visible_file,
)
from jobs.web.openapi.decorators import describes
from jobs.web.pagination import first_page_rows
from jobs.web.problems import Problem
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.searching import searching

# Whose files a list has, by the value of `owner`.
OWNERS = {"me": "private", "public": "public", "group": "group"}
TYPE = r"[a-z]+|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/([A-Za-z0-9!#$&^_.+-]+|\*)"
FILTERS = [
    OpenApiParameter(
        "search",
        type={"type": "string", "maxLength": 100},
        pattern=r"^[^\u0000]*$",
        description="Part of the name or of a folder, or the number of a file.",
    ),
    OpenApiParameter(
        "type",
        pattern=f"^(|{TYPE})$",
        description=f"One of {', '.join(TYPES)}; or a media type, as `image/png` or `image/*`.",
    ),
    OpenApiParameter(
        "owner",
        enum=["", *OWNERS],
        description="Your own files, those of everybody, or those of your groups. Empty: all.",
    ),
    OpenApiParameter(
        "folder",
        type={"type": "string", "maxLength": MAX_FOLDER_CHARS},
        pattern=r"^[^\u0000]*$",
        description="Files in this folder and in those below it.",
    ),
]
OF_ONE = ["permission_denied", "not_found"]


class FileFilters(serializers.Serializer[Any]):
    """The filters in the query of a list."""

    search = serializers.CharField(default="", allow_blank=True, max_length=100)
    type = serializers.RegexField(f"^({TYPE})$", default="", allow_blank=True)
    owner = serializers.ChoiceField(choices=list(OWNERS), default="", allow_blank=True)
    folder = serializers.CharField(default="", allow_blank=True, max_length=MAX_FOLDER_CHARS)

    def validate_type(self, name: str) -> str:
        if name and "/" not in name and name not in TYPES:
            raise serializers.ValidationError(
                f"Use one of {', '.join(TYPES)}, or a media type such as image/png."
            )
        return name

    def parts(self, user_id: int) -> list[FileQuerySet]:
        """Return the files that match, as `FileQuerySet.visible_parts` does."""
        values = self.validated_data
        among = [OWNERS[values["owner"]]] if values["owner"] else []
        parts = StoredFile.objects.visible_parts(user_id, among)
        return [self._matching(part.listed()) for part in parts]

    def _matching(self, files: FileQuerySet) -> FileQuerySet:
        values = self.validated_data
        if values["type"]:
            files = files.of_types(type_beginnings(values["type"]))
        if folder := values["folder"].strip("/"):
            files = files.in_folder(folder)
        return files.found_by(values["search"]) if values["search"] else files

    @property
    def is_search(self) -> bool:
        """Whether it may read thousands of rows."""
        return any(self.validated_data[name] for name in ("search", "type", "folder"))


class NewestFiles(NewestFirstList):
    """Pages of files. A position is the number of a file."""

    ordering: Any = ("-file_id",)

    def paginate_parts(self, parts: list[FileQuerySet], request: Request) -> list[StoredFile]:
        """Return the files of the page that the query of the request names."""
        size, cursor = self.get_page_size(request), self.decode_cursor(request)
        self.base_url = request.build_absolute_uri()
        is_back = bool(cursor and cursor.reverse)
        if cursor and cursor.position:
            lookup = {"file_id__gt" if is_back else "file_id__lt": int(cursor.position)}
            parts = [part.filter(**lookup) for part in parts]
        order = "file_id" if is_back else "-file_id"
        found = first_page_rows(parts, (order,), size + 1) if parts else []
        self.files = found[:size][::-1] if is_back else found[:size]
        has_more = len(found) > size
        self._has_older, self._has_newer = (True, has_more) if is_back else (has_more, bool(cursor))
        return self.files

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = CursorPagination.decode_cursor(self, request)
        except NotFound as error:
            raise _bad_cursor() from error
        if cursor and not _is_number(cursor.position):
            raise _bad_cursor()
        return cursor

    def get_next_link(self) -> str | None:
        return self._link(-1, is_back=False) if self._has_older and self.files else None

    def get_previous_link(self) -> str | None:
        return self._link(0, is_back=True) if self._has_newer and self.files else None

    def _link(self, index: int, *, is_back: bool) -> str:
        position: Any = str(self.files[index].file_id)
        return self.encode_cursor(Cursor(offset=0, reverse=is_back, position=position))


def _is_number(text: Any) -> bool:
    is_short = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10
    return is_short and int(text) <= MAX_FILE_ID


def _bad_cursor() -> ValidationError:
    return ValidationError({"cursor": ["The cursor is not valid for this list."]})


class FileList(ListAPIView[StoredFile]):
    """List the files that you can download and bundle, newest first."""

    queryset = StoredFile.objects.none()  # for the schema; see `list`
    serializer_class = FileSerializer
    pagination_class = NewestFiles

    @describes(
        "files", {200: OpenApiResponse(FileSerializer(many=True), "A page of files.")},
        parameters=FILTERS,
    )  # fmt: skip
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the files that you can download and bundle, newest first: public, own, of groups."""
        return super().get(request, *args, **kwargs)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        filters, pages = FileFilters(data=request.query_params), NewestFiles()
        filters.is_valid(raise_exception=True)
        with searching(request, "files" if filters.is_search else ""):
            parts = filters.parts(authenticated_user(request).pk)
            files = pages.paginate_parts(parts, request)
        prefetch_related_objects(files, "group")
        return pages.get_paginated_response([represent_stored_file(file) for file in files])


class FileDetail(APIView):
    """Get, change or delete a file."""

    max_body_bytes = SHORT_BODY_BYTES
    sample = {"name": "invoice.pdf", "folder": "2026/05", "expiresAt": None}
    bodiless_methods = ("DELETE",)

    @describes("file", {200: FileSerializer}, problems=["not_found"])
    def get(self, request: Request, file_id: int) -> Response:
        """Get a file, with a URL to download it."""
        return Response(FileSerializer(visible_file(request, file_id)).data)

    @describes(
        "change_file", {200: FileSerializer}, request=FileChanges, problems=[*OF_ONE, "conflict"]
    )
    def patch(self, request: Request, file_id: int) -> Response:
        """Rename a file, move it to another folder, or set when it expires."""
        check_may_change(authenticated_user(request), visible_file(request, file_id), CHANGE)
        serializer = FileChanges(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(FileSerializer(serializer.apply(file_id)).data)

    @describes("delete_file", {204: "Deleted."}, problems=[*OF_ONE, "conflict"])
    def delete(self, request: Request, file_id: int) -> Response:
        """Delete a file. The result of a job goes with its job.

        The object of a file that was registered stays in its bucket.
        """
        file, user = visible_file(request, file_id), authenticated_user(request)
        check_may_change(user, file, DELETE)
        if file.owner_id != user.pk:  # shared, so it is of no job
            file.delete()
        elif delete_files(user, [file_id]).skipped:
            sentence = "An active job reads the file, or it is a preview, which goes with its file."
            raise Problem(HTTPStatus.CONFLICT, "conflict", sentence)
        return Response(status=204)
