"""The errors of a form that is made of a serializer: one sentence for each field."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import SkipField

from jobs.errors import BlockedAddress
from jobs.kinds.form import Field
from jobs.web.pages import terms
from jobs.web.pages.form_fields import is_file_name, shown_fields
from jobs.web.pages.form_submit import NAME_ERRORS, error_sentence
from jobs.web.serializers import JobRequest

REQUIRED = "This field is required."
SENTENCES = {"required": REQUIRED, "blank": REQUIRED, "null": REQUIRED}
# Instead of the sentences of DRF for `invalid`, which speak of formats and integers.
INVALID: dict[type[Field], str] = {
    serializers.DateTimeField: "Enter a date and time.",
    serializers.DateField: "Enter a date.",
    serializers.TimeField: "Enter a time.",
    serializers.IntegerField: "Enter a whole number.",
    serializers.FloatField: "Enter a number.",
    serializers.DecimalField: "Enter a number.",
}


def form_errors(details: Any, job_request: JobRequest) -> dict[str, str]:
    """Return one sentence for each field, from DRF's full details.

    `form` is for errors that concern the whole form, or a field that the form does not show.
    """
    fields = shown_fields(job_request)
    shown = {str(field.field_name): _sentences(field, job_request) for field in fields}
    shown |= terms.SENTENCES
    errors, others = dict[str, str](), []
    for name, detail in details.items():
        if name in shown:
            errors[name] = _sentence(detail, shown[name])
        else:
            others.append(_sentence(detail, {}))
    return errors | ({"form": " ".join(others)} if others else {})


def _sentences(field: Field, job_request: JobRequest) -> dict[str, str]:
    """Return the sentences for errors of the field, by code."""
    if is_file_name(field, job_request.kind):
        return NAME_ERRORS
    field = getattr(field, "child", field)  # of a list
    for kind, sentence in INVALID.items():
        default = kind.default_error_messages["invalid"]
        if isinstance(field, kind) and field.error_messages["invalid"] == default:
            return SENTENCES | {"invalid": sentence}
    return SENTENCES


def _sentence(details: Any, sentences: dict[str, str]) -> str:
    """Return the first error; of a list of texts, with the number of the line."""
    if isinstance(details, dict):
        line, inner = next(iter(details.items()))
        place = f"Line {int(line) + 1}: " if str(line).isdecimal() else ""
        return place + _sentence(inner, sentences)
    return error_sentence(details, sentences)


def blocked_addresses(job_request: JobRequest) -> dict[str, str]:
    """Return the error of each field if one of them has a blocked address; else nothing.

    A blocked address ends the validation of the others, so each is validated alone.
    """
    errors, details = dict[str, str](), dict[str, Any]()
    for name, field in job_request.fields.items():
        try:
            field.run_validation(field.get_value(job_request.initial_data))
        except BlockedAddress as error:
            errors[name] = str(error)
        except ValidationError as error:
            details[name] = error.get_full_details()
        except SkipField:
            pass
    return form_errors(details, job_request) | errors if errors else {}
