"""The params of a job as its page lists them: by the labels of their fields, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework import serializers

from jobs.kinds.page_parts import Detail

MAX_SHOWN = 200  # characters of a value
EMPTY: tuple[Any, ...] = (None, "", [])


def param_facts(fields: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Detail, ...]:
    """Return the params that are not empty, in the order of their fields."""
    known = [_fact(field, params[name]) for name, field in fields.items() if name in params]
    others = [Detail(name, str(params[name])) for name in params if name not in fields]
    return tuple(
        Detail(fact.term, fact.text[:MAX_SHOWN], fact.at) for fact in known + others if fact.text
    )


def _fact(field: Any, value: Any) -> Detail:
    text = "" if value in EMPTY else _text(field, value)
    at = parse_datetime(str(value)) if isinstance(field, serializers.DateTimeField) else None
    if at is None or timezone.is_naive(at):
        return Detail(str(field.label), text)
    local = timezone.localtime(at)
    return Detail(str(field.label), f"{local.day} {local:%B} {local.year} at {local:%H:%M}", at=at)


def _text(field: Any, value: Any) -> str:
    """Return the value in words: a choice by its label, 'Yes' or 'No', '1 October 2026'."""
    if isinstance(value, list):
        return ", ".join(_text(getattr(field, "child", field), each) for each in value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(field, serializers.ChoiceField):
        labels = {str(each): str(label) for each, label in field.choices.items()}
        return labels.get(str(value), str(value))
    if isinstance(field, serializers.DateField) and (day := parse_date(str(value))):
        return f"{day.day} {day:%B} {day.year}"
    return str(value)
