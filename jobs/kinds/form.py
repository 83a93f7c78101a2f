"""Which kinds people can request on a page, and which of their fields a form can show."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers

from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS

Field = serializers.Field[Any, Any, Any, Any]
# Fields of a request that a form has no control for. BaseSerializer is a nested one, or a list.
JSON_ONLY = (
    serializers.BaseSerializer,
    serializers.DictField,
    serializers.FileField,
    serializers.JSONField,
)


def forms_for(user: User) -> dict[str, Kind]:
    """Return the kinds that the user can request on a page, by the name of its URL."""
    return {
        url_name: kind
        for kind in KINDS.values()
        if (url_name := form_url_name(kind)) and kind.may_request(user)
    }


def form_url_name(kind: Kind) -> str:
    """Return the name of the URL of the kind's form; empty if it has none."""
    if kind.form_url_name:
        return kind.form_url_name
    return f"new-{kind.name}" if has_generated_form(kind) else ""


def has_generated_form(kind: Kind) -> bool:
    """Return True if the kind's form is made of its Params."""
    if kind.form_url_name or not kind.has_form:
        return False
    fields = kind.Params().fields.values()
    return all(is_shown(field) for field in fields if field.required)


def is_shown(field: Field) -> bool:
    """Return True if a form can show the field."""
    if field.read_only or isinstance(field, serializers.HiddenField):
        return False
    if isinstance(field, serializers.ListField):
        return is_shown(field.child) and not isinstance(field.child, serializers.ListField)
    return not isinstance(field, JSON_ONLY)
