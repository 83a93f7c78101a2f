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
from jobs.web.pages.form_submit import NAME_ERRORS, form_error_sentence
from jobs.web.serializers import JobRequest

REQUIRED = "This field is required."
LIMITS = {
    "min_value": "Enter {0.min_value} or more.",
    "max_value": "Enter {0.max_value} or less.",
}
# Instead of the sentences of DRF, by type and code; formatted with the field.
SENTENCES: dict[type[Field], dict[str, str]] = {
    serializers.Field: {"required": REQUIRED, "null": REQUIRED},
    serializers.CharField: {
        "blank": REQUIRED,
        "max_length": "Use at most {0.max_length} characters.",
    },
    serializers.DateTimeField: {"invalid": "Enter a date and time."},
    serializers.DateField: {"invalid": "Enter a date."},
    serializers.TimeField: {"invalid": "Enter a time."},
    serializers.IntegerField: {"invalid": "Enter a whole number."} | LIMITS,
    serializers.FloatField: {"invalid": "Enter a number."} | LIMITS,
    serializers.DecimalField: {"invalid": "Enter a number."} | LIMITS,
    serializers.ChoiceField: {"invalid_choice": "Choose one of the options."},
    serializers.ListField: {"max_length": "Use at most {0.max_length} values."},
}


def form_errors(details: Any, job_request: JobRequest) -> dict[str, str]:
    """Return one sentence for each field, from DRF's full details.

    `form` is for errors that concern the whole form, or a field that the form does not show.
    """
    shown = {str(field.field_name): field for field in shown_fields(job_request)}
    errors, others = dict[str, str](), []
    for name, detail in details.items():
        if name in terms.SENTENCES:
            errors[name] = form_error_sentence(detail, terms.SENTENCES[name])
        elif name not in shown:
            others.append(_sentence(detail, None))
        elif is_file_name(shown[name], job_request.kind):
            errors[name] = form_error_sentence(detail, NAME_ERRORS)
        else:
            errors[name] = _sentence(detail, shown[name])
    return errors | ({"form": " ".join(others)} if others else {})


def _sentence(details: Any, field: Field | None) -> str:
    """Return the first error; of a list of texts, with the number of the line."""
    if isinstance(details, dict):
        line, inner = next(iter(details.items()))
        place = f"Line {int(line) + 1}: " if str(line).isdecimal() else ""
        return place + _sentence(inner, getattr(field, "child", None))
    first = next(filter(None, details))
    if "message" not in first:  # of nested serializers, which are not shown
        return _sentence(first, None)
    message, code = str(first["message"]), first["code"]
    for kind, sentences in SENTENCES.items():
        if isinstance(field, kind) and code in sentences and _is_of_drf(message, kind, code):
            has_limit = getattr(field, code, "") is not None  # else it is a validator's
            return sentences[code].format(field) if has_limit else message
    return message


def _is_of_drf(message: str, kind: type[Field], code: str) -> bool:
    """Return False for a sentence of the kind's own: `invalid` is the code of most of them."""
    beginning = str(kind.default_error_messages[code]).split("{")[0]
    return message.startswith(beginning)


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
