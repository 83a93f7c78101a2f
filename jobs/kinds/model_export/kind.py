"""Kind `model-export`: the rows of a list in the admin, as CSV or as an Excel workbook.

The job has the query of the list, not ids, so any number of rows can be exported. The list is made
again when the job runs, with the rights that its owner has then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest, QueryDict

from jobs.errors import BuildError
from jobs.kinds.base import JobParams, Kind
from jobs.kinds.model_export.resources import (
    export_resources,
    resource_columns,
    resource_rows,
)
from jobs.kinds.model_export.write import FORMATS, READ_AT_ONCE, ModelRows, write_rows
from jobs.kinds.page_parts import Contents, Detail
from jobs.models import DownloadJob
from jobs.workspace import Workspace


class ListForbidden(BuildError):
    code = "list_forbidden"
    meaning = "You may not view these rows, or no longer."


class ListChanged(BuildError):
    code = "list_changed"
    meaning = "The list, its filters or its fields are no longer what they were."


class ModelExport(Kind):
    name = "model-export"
    label = "Export"
    accepts_json = False  # the admin requests it
    has_form = False
    finished = "exported"
    failed = "could not be exported"

    def load(self, job: DownloadJob) -> ModelRows:
        request = HttpRequest()
        request.method, request.user = "GET", job.owner
        request.GET = QueryDict(job.params["query"])
        model_admin = list_admin(job.params["model"], request)
        rows = list_queryset(model_admin, request)
        chosen, format_name = job.params["fields"], job.params["format"]
        if not (name := job.params.get("resource")):
            return model_rows(rows, chosen, format_name)
        resource = export_resources(model_admin, request).get(name)
        if resource is None or not set(chosen) <= dict(resource_columns(resource)).keys():
            raise ListChanged("A column of the export no longer exists.")
        return resource_rows(resource, rows, chosen, format_name)

    def build(self, loaded: ModelRows, work: Workspace) -> None:
        work.describe(content_type=FORMATS[loaded.format].content_type)
        write_rows(loaded, work)

    def describe(self, job: DownloadJob) -> str:
        return f"{FORMATS[job.params['format']].label} of {job.params['title']}"

    def contents(self, job: DownloadJob) -> Contents:
        facts = [Detail("Fields", ", ".join(job.params["fields"]))]
        if job.params["query"]:
            facts.append(Detail("Filter", unquote_plus(job.params["query"])))
        return Contents("The list", facts=tuple(facts))

    def artifact_name(self, requested: str, params: JobParams) -> str:
        name = super().artifact_name(requested or params["title"], params)
        return f"{name}.{params['format']}"


def list_admin(model: str, request: HttpRequest) -> Any:
    """Return the model's ModelAdmin, if the request's user may export what it lists.

    Raises ListForbidden and ListChanged.
    """
    try:
        model_admin: Any = admin.site.get_model_admin(apps.get_model(model))
    except (LookupError, NotRegistered) as error:
        raise ListChanged("The list is no longer in the admin.") from error
    user: Any = request.user
    may_export = getattr(model_admin, "has_export_permission", model_admin.has_view_permission)
    is_staff = user.is_active and user.is_staff
    if not (is_staff and model_admin.has_view_permission(request) and may_export(request)):
        raise ListForbidden("You may not view these rows.")
    return model_admin


def list_queryset(model_admin: Any, request: HttpRequest) -> Any:
    """Return the rows that the admin lists for the request's query. Raises ListChanged."""
    try:
        return model_admin.get_changelist_instance(request).queryset
    except IncorrectLookupParameters as error:
        raise ListChanged("A filter of the list is no longer valid.") from error


def model_rows(rows: Any, chosen: Sequence[str], format_name: str) -> ModelRows:
    """Return the chosen fields of a queryset, read in batches. Raises ListChanged."""
    try:
        fields = [rows.model._meta.get_field(name) for name in chosen]
    except FieldDoesNotExist as error:
        raise ListChanged("A field of the export no longer exists.") from error
    names = [field.attname for field in fields]
    return ModelRows(
        format=format_name,
        title=str(rows.model._meta.verbose_name_plural).capitalize(),
        header=[str(field.verbose_name).capitalize() for field in fields],
        count=rows.count(),
        rows=rows.values_list(*names).iterator(chunk_size=READ_AT_ONCE),
    )
