"""Errors of a choice that name the choices."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

MAX_NAMED = 20  # choices in an error


def name_choices(field: Any) -> None:
    """Add the choices to the error of a ChoiceField, unless it has an error of its own."""
    if isinstance(field, serializers.ListField):
        name_choices(field.child)
    if not isinstance(field, serializers.ChoiceField) or len(field.choices) > MAX_NAMED:
        return
    usual = str(serializers.ChoiceField.default_error_messages["invalid_choice"])
    if str(field.error_messages["invalid_choice"]) == usual and field.choices:
        names = ", ".join(map(str, field.choices))
        escaped = names.replace("{", "{{").replace("}", "}}")  # DRF formats it with the input
        field.error_messages["invalid_choice"] = f"{usual} Use one of: {escaped}."
