"""The options of a form's controls: of selects, radio buttons and lists of boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from jobs.kinds.form import Field
from jobs.web.pages.form_values import SEVERAL

# The width of a row of radio buttons that also a phone has room for.
MAX_RADIO_CHARS, RADIO_PADDING_CHARS = 42, 4
YES_OR_NO = {"": "Not set", "true": "Yes", "false": "No"}


@dataclass(frozen=True)
class FormOption:
    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True)
class FormOptionGroup:
    """Options with the label of their group, which is empty for most."""

    label: str
    options: list[FormOption]


def has_form_options(field: Field) -> bool:
    """Return True for a list whose items are options."""
    return isinstance(field, serializers.ListField) and hasattr(field.child, "iter_options")


def fits_radios(field: Field) -> bool:
    """Return True for a few short options. Radios cannot be cleared, so it must have a value."""
    if not isinstance(field, serializers.ChoiceField) or _may_be_empty(field):
        return False
    widths = [len(str(label)) + RADIO_PADDING_CHARS for label in field.choices.values()]
    return sum(widths) <= MAX_RADIO_CHARS


def _may_be_empty(field: Field) -> bool:
    has_no_value = not field.required and field.default is empty
    return has_no_value or field.allow_null or getattr(field, "allow_blank", False)


def form_option_groups(field: Field, chosen: set[str], base_template: str) -> list[FormOptionGroup]:
    """Return the options of the field, the empty one first; nothing if it has none."""
    if isinstance(field, serializers.BooleanField):
        chosen = chosen or {""}
        switch = [FormOption(value, label, value in chosen) for value, label in YES_OR_NO.items()]
        return [FormOptionGroup("", switch)]
    if isinstance(field, serializers.ListField):
        return list(_groups(field.child, chosen)) if has_form_options(field) else []
    if not hasattr(field, "iter_options"):
        return []
    first = [] if isinstance(field, SEVERAL) else _empty_option(field, chosen, base_template)
    return [*first, *_groups(field, chosen)]


def _empty_option(field: Field, chosen: set[str], base_template: str) -> list[FormOptionGroup]:
    """Return the option of no value, or of a select the text for what is still to choose."""
    if _may_be_empty(field):
        return [FormOptionGroup("", [FormOption("", "Not set", not chosen or "" in chosen)])]
    if base_template == "select.html" and field.default is empty:
        return [FormOptionGroup("", [FormOption("", "Choose…", not chosen)])]
    return []


def _groups(field: Any, chosen: set[str]) -> Iterator[FormOptionGroup]:
    label, options = "", list[FormOption]()
    for each in field.iter_options():
        if not (each.start_option_group or each.end_option_group):
            value = str(each.value)
            options.append(FormOption(value, str(each.display_text), value in chosen))
            continue
        if options:
            yield FormOptionGroup(label, options)
        label, options = (str(each.label) if each.start_option_group else ""), []
    if options:
        yield FormOptionGroup(label, options)
