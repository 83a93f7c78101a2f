"""The controls of a form that is made of a serializer. Their templates are in jobs/form_fields/.

`style` of a field works as in DRF's own forms: `base_template` names a template (textarea.html,
radio.html), `input_type` the type of an input; `placeholder` and `rows` are attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.forms.utils import flatatt
from django.http import QueryDict
from django.utils.safestring import SafeString
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.renderers import HTMLFormRenderer

from jobs.kinds.base import Kind
from jobs.kinds.form import Field, is_shown
from jobs.terms import REQUEST_FIELDS
from jobs.web.pages.form_options import (
    FormOption,
    FormOptionGroup,
    fits_radios,
    form_option_groups,
    has_form_options,
)
from jobs.web.pages.form_values import shown_values
from jobs.web.pages.terms import local_time
from jobs.web.serializers import JobRequest, Url

TEMPLATES = "jobs/form_fields"
UNTYPED = ("date", "datetime-local", "time")  # have no placeholder


@dataclass(frozen=True)
class FormField:
    """A control with its label, hint and error, as the template needs them."""

    name: str
    label: str
    template: str
    input_type: str
    values: list[str]
    groups: list[FormOptionGroup]
    is_boxed: bool  # radio buttons in a row, one of which is always chosen
    attributes: SafeString
    hint: str
    error: str

    @property
    def hint_id(self) -> str:
        return f"{self.name}-hint" if self.hint or self.input_type == "datetime-local" else ""

    @property
    def value(self) -> str:
        """What an input shows. A password is typed again."""
        text = self.values[-1] if self.values and self.input_type != "password" else ""
        return local_time(text)[0] if self.input_type == "datetime-local" else text

    @property
    def at(self) -> datetime | None:
        return local_time(self.values[-1])[1] if self.values else None

    @property
    def lines(self) -> str:
        return "\n".join(self.values)

    @property
    def is_ticked(self) -> bool:
        return self.values[-1:] == ["true"]

    @property
    def options(self) -> list[FormOption]:
        return [option for group in self.groups for option in group.options]


def shown_fields(job_request: JobRequest) -> list[Field]:
    """Return the fields of the kind's Params that a form can show, and the file name."""
    fields = [
        field
        for name, field in job_request.fields.items()
        if name not in REQUEST_FIELDS and is_shown(field)
    ]
    for field in fields:
        if is_file_name(field, job_request.kind):
            field.label = "File name"
    return fields


def is_file_name(field: Field, kind: Kind) -> bool:
    """Return True for the field that every request has, unless the kind has its own."""
    return field.field_name == kind.name_field and field.field_name not in kind.Params().fields


def form_field(field: Field, form: QueryDict, error: str) -> FormField:
    """Return the control of a field, with the values that were submitted."""
    style = _style(field)
    values = shown_values(field, form)
    return FormField(
        name=str(field.field_name),
        label=str(field.label),
        template=style.get("template") or f"{TEMPLATES}/{style['base_template']}",
        input_type=style.get("input_type", ""),
        values=values,
        groups=form_option_groups(field, set(values), style["base_template"]),
        is_boxed=fits_radios(field) and field.default is not empty,
        attributes=flatatt(_attributes(field, style)),
        hint=_hint(field, style),
        error=error,
    )


def _style(field: Field) -> dict[str, Any]:
    """Return the template and the input type: those of DRF, ours for some fields, the field's."""
    style = HTMLFormRenderer.default_style[field] | {}  # type: ignore[index]
    if isinstance(field, Url):
        style["input_type"] = "url"
    elif isinstance(field, serializers.DecimalField):
        style["input_type"] = "number"
    elif isinstance(field, serializers.BooleanField) and field.allow_null:
        style["base_template"] = "select.html"
    elif style["base_template"] == "select_multiple.html" or has_form_options(field):
        style["base_template"] = "checkbox_multiple.html"
    elif style["base_template"] == "select.html" and fits_radios(field):
        style["base_template"] = "radio.html"
    return style | field.style


def _hint(field: Field, style: dict[str, Any]) -> str:
    """Return the help text, and what a placeholder cannot say."""
    hint = str(field.help_text or "")
    if style["base_template"] == "list_field.html":
        return f"{hint} One per line.".strip()
    has_no_placeholder = style.get("input_type") in UNTYPED
    return hint or ("Optional." if has_no_placeholder and _is_optional(field) else "")


def _is_optional(field: Field) -> bool:
    """Return True if the field may stay empty, and has no default."""
    return not field.required and field.default in (empty, None)


def _attributes(field: Field, style: dict[str, Any]) -> dict[str, Any]:
    """Return the HTML attributes of an input or a text area."""
    names = ("autofocus", "rows")
    attributes: dict[str, Any] = {name: style[name] for name in names if name in style}
    attributes["required"] = field.required
    if style.get("input_type") == "number":
        attributes |= _number_attributes(field)
    if isinstance(field, serializers.CharField) and field.max_length:
        attributes["maxlength"] = field.max_length
    if style.get("input_type") in UNTYPED:
        return attributes
    placeholder = style.get("placeholder", "Optional" if _is_optional(field) else "")
    shown = {"placeholder": placeholder} if placeholder else {}
    return attributes | shown | {"autocomplete": "off"}


def _number_attributes(field: Field) -> dict[str, Any]:
    limits = {"min": getattr(field, "min_value", None), "max": getattr(field, "max_value", None)}
    attributes = {name: limit for name, limit in limits.items() if limit is not None}
    if isinstance(field, serializers.DecimalField) and field.decimal_places:
        return attributes | {"step": f"{10**-field.decimal_places:.{field.decimal_places}f}"}
    return (
        attributes if isinstance(field, serializers.IntegerField) else attributes | {"step": "any"}
    )
