"""Reject JSON of another type than a field has: the fields of DRF convert "7" to 7."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from rest_framework import serializers
from rest_framework.utils.html import is_html_input

MAX_REPORTED = 20  # invalid items in one response
# By field; the first that matches counts.
TYPES: list[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...]]] = [
    (serializers.BooleanField, (bool,)),
    (serializers.IntegerField, (int,)),
    (serializers.FloatField, (int, float)),
    (serializers.DecimalField, (int, float, str)),
    (serializers.CharField, (str,)),
    (serializers.UUIDField, (str,)),
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
    types = _types_of(field)
    if types is None or _fits(value, types):
        return []
    return _invalid(field)


def merged_errors(wrong_types: dict[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
    """Return both by field. That a list is too long counts more than the types of its items."""
    merged = dict(detail)
    for name, errors in wrong_types.items():
        others = detail.get(name, {})
        if not isinstance(errors, dict):
            merged[name] = errors
        elif isinstance(others, dict):
            merged[name] = dict(islice((others | errors).items(), MAX_REPORTED))
    return merged


def integer_field_value(number: Any) -> Any:
    """Return 7 for 7.0, since JSON has one kind of number; any other value unchanged."""
    return int(number) if type(number) is float and number.is_integer() else number


def _errors_of_items(child: Any, items: list[Any]) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    if types := _types_of(child):  # of 100,000 items, too
        invalid = (n for n, item in enumerate(items) if not (item is None or _fits(item, types)))
        return {str(n): _invalid(child) for n in islice(invalid, MAX_REPORTED)}
    for n, item in enumerate(items):
        if found := errors_of_value(child, item):
            errors[str(n)] = found
        if len(errors) == MAX_REPORTED:
            break
    return errors


def _types_of(field: Any) -> tuple[type, ...] | None:
    return next((types for field_class, types in TYPES if isinstance(field, field_class)), None)


def _invalid(field: Any) -> list[Any]:
    return [serializers.ErrorDetail(field.error_messages["invalid"], code="invalid")]


def _fits(value: Any, types: tuple[type, ...]) -> bool:
    if types == (int,):
        value = integer_field_value(value)
    return isinstance(value, types) and isinstance(value, bool) == (types == (bool,))
