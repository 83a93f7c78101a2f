"""Reject JSON of another type than a field has: the fields of DRF convert "7" to 7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.utils.html import is_html_input

from jobs.web.serializers.fields import MAX_REPORTED, integer_field_value

# By field; the first that matches counts.
TYPES: list[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...]]] = [
    (serializers.BooleanField, (bool,)),
    (serializers.IntegerField, (int,)),
    (serializers.FloatField, (int, float)),
    (serializers.DecimalField, (int, float, str)),
    (serializers.CharField, (str,)),
]


def type_errors(serializer: serializers.Serializer[Any], data: Any) -> dict[str, Any]:
    """Return the errors of values of another JSON type, by field."""
    if not isinstance(data, Mapping) or is_html_input(data):  # a form has text alone
        return {}
    found = {
        name: errors_of_value(field, data[name])
        for name, field in serializer.fields.items()
        if name in data and not field.read_only
    }
    return {name: errors for name, errors in found.items() if errors}


def errors_of_value(field: Any, value: Any) -> Any:
    """Return the errors of a value, in the form of DRF's ValidationError; empty if it fits."""
    if value is None:
        return []
    if isinstance(field, serializers.ListField | serializers.ListSerializer):
        return _errors_of_items(field.child, value) if isinstance(value, list) else []
    if isinstance(field, serializers.Serializer):
        return type_errors(field, value)
    types = next((types for field_class, types in TYPES if isinstance(field, field_class)), None)
    if types is None or _fits(value, types):
        return []
    return [serializers.ErrorDetail(field.error_messages["invalid"], code="invalid")]


def _errors_of_items(child: Any, items: list[Any]) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    for n, item in enumerate(items):
        if found := errors_of_value(child, item):
            errors[str(n)] = found
        if len(errors) == MAX_REPORTED:
            break
    return errors


def _fits(value: Any, types: tuple[type, ...]) -> bool:
    if types == (int,):
        value = integer_field_value(value)
    return isinstance(value, types) and isinstance(value, bool) == (types == (bool,))
