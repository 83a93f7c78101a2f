"""The columns of an export as the resources of django-import-export define them.

The library is not imported here: a ModelAdmin that names a resource has imported it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.kinds.model_export.write import READ_AT_ONCE, ModelRows, Row

Resource = Any  # an import_export.resources.Resource


def export_resources(model_admin: Any, request: HttpRequest) -> Mapping[str, Resource]:
    """Return the resources that the ModelAdmin names, by the name of their class."""
    if hasattr(model_admin, "get_export_resource_classes"):
        classes = model_admin.get_export_resource_classes(request)
    else:
        classes = getattr(model_admin, "resource_classes", ())
    arguments: dict[str, Any] = {}
    if hasattr(model_admin, "get_export_resource_kwargs"):
        arguments = model_admin.get_export_resource_kwargs(request)
    return {each.__name__: each(**arguments) for each in classes}


def resource_columns(resource: Resource) -> list[tuple[str, str]]:
    """Return the names of the resource's columns, each with its header."""
    return [
        (name, header)
        for name in resource.get_export_order()
        for header in resource.get_export_headers([name])
    ]


def resource_rows(
    resource: Resource, listed: QuerySet[Any], chosen: Sequence[str], format_name: str
) -> ModelRows:
    """Return the rows of a list as the resource writes them, read in batches."""
    resource.before_export(listed)
    queryset = resource.filter_export(listed)
    return ModelRows(
        format=format_name,
        title=str(listed.model._meta.verbose_name_plural).capitalize(),
        header=resource.get_export_headers(chosen),
        count=queryset.count(),
        rows=_rows(resource, queryset, chosen, force_native_type=format_name == "xlsx"),
    )


def _rows(
    resource: Resource, queryset: QuerySet[Any], chosen: Sequence[str], **arguments: Any
) -> Iterator[Row]:
    # Not the resource's iter_queryset, which skips rows one by one for each page it prefetches.
    for instance in queryset.iterator(chunk_size=READ_AT_ONCE):
        yield resource.export_resource(instance, selected_fields=chosen, **arguments)
