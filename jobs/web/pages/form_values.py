"""The values of a form that is made of a serializer: from text to data, from defaults to text.

Strict fields do not convert text, so numbers, switches and times are converted here. Text that is
not valid stays as it is, for the serializer to reject.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework import serializers
from rest_framework.fields import SkipField, empty

from jobs.kinds.form import Field
from jobs.web.pages.terms import with_zone

INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
SWITCH = {"true": True, "false": False}
SEVERAL = (serializers.MultipleChoiceField, serializers.ManyRelatedField)


def serializer_data(fields: Iterable[Field], form: QueryDict) -> MultiValueDict[str, Any]:
    """Return the submitted values of these fields, as input of their serializer."""
    data = {str(field.field_name): _data_of(field, form) for field in fields}
    return MultiValueDict({name: values for name, values in data.items() if values})


def _data_of(field: Field, form: QueryDict) -> list[Any]:
    """Return the values of one field: an empty list if there is none."""
    name = str(field.field_name)
    texts = [text.strip() for text in form.getlist(name)]
    if isinstance(field, serializers.ListField):
        return [_converted(field.child, line) for line in _lines(texts)]
    if isinstance(field, SEVERAL):
        return [text for text in texts if text]
    text = form.get(name, "")
    if isinstance(field, serializers.BooleanField) and not field.allow_null:
        return [text == "true"]
    may_be_blank = not field.required or field.allow_null or getattr(field, "allow_blank", False)
    return [_converted(field, text)] if text or may_be_blank else []


def _lines(texts: Iterable[str]) -> list[str]:
    lines = (line.strip() for text in texts for line in text.splitlines())
    return [line for line in lines if line]


def _converted(field: Field, text: str) -> Any:
    if isinstance(field, serializers.BooleanField):
        return SWITCH.get(text, text)
    if isinstance(field, serializers.IntegerField) and INTEGER.fullmatch(text.strip()):
        return int(text)
    if isinstance(field, serializers.DateTimeField):
        return with_zone(text)
    return text


def shown_values(field: Field, form: QueryDict) -> list[str]:
    """Return what the field's control shows: the submitted text, or else the default."""
    if (name := str(field.field_name)) in form:
        texts = [str(text) for text in form.getlist(name)]
        return _lines(texts) if isinstance(field, serializers.ListField) else texts
    value = _default(field)
    values = value if isinstance(value, list | tuple | set) else [value]
    return [_text(field, each) for each in values if each is not None]


def _default(field: Field) -> Any:
    """Return the default as JSON has it, or the initial value of a field without one."""
    try:
        value = field.get_initial() if field.default is empty else field.get_default()
    except SkipField:
        value = None
    return None if value is None else field.to_representation(value)


def _text(field: Field, value: Any) -> str:
    is_switch = isinstance(field, serializers.BooleanField)
    return str(bool(value)).lower() if is_switch else str(value)
