"""What the forms that start a job share: a form submitted twice starts one job, and each invalid
field gets a sentence."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from django.urls import reverse

from jobs.engine.submission import submit_job
from jobs.web.authentication import authenticated_user
from jobs.web.pages.rendering import SeeOther
from jobs.web.request_ids import request_id

FORM_ID = re.compile("[0-9a-f]{32}")
NUMBER = re.compile("[0-9]{1,9}")  # no file id has more digits
NAME_ERRORS = {
    "max_length": "Use at most 200 characters.",
    "": "Use a different name: this one contains characters that file names can't have.",
}


def new_form_id() -> str:
    """Return a new value for `?once=...` in the action of a form."""
    return uuid4().hex


def submit_form(request: HttpRequest, submission: dict[str, Any]) -> SeeOther:
    """Record the job that a form describes, and redirect to its page. Raises LimitReached.

    `submission` has keyword arguments of `submit_job`.
    """
    job, _ = submit_job(
        owner=authenticated_user(request),
        request_id=request_id(request),
        key=_idempotency_key(request, submission),
        **submission,
    )
    return SeeOther(reverse("job-page", args=[job.pk]))


def _idempotency_key(request: HttpRequest, submission: dict[str, Any]) -> str:
    """Return a key of the form and its values: the same form with other values is another job."""
    form_id = request.GET.get("once", "")
    if not FORM_ID.fullmatch(form_id):
        return ""
    values = submission | {"terms": submission["terms"].as_json()}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"page-{form_id}-{digest}"


def parse_form_number(text: str | None) -> int | None:
    return int(text) if text and NUMBER.fullmatch(text) else None


def form_number_or_text(text: str) -> int | str:
    """Return the number, or the text itself for the serializer to reject."""
    number = parse_form_number(text)
    return text if number is None else number


def form_error_sentence(details: Any, sentences: dict[str, str]) -> str:
    """Return the sentence for the errors of one field, in the form of DRF's full details.

    `sentences` are by code; "" is for all other codes. Without one, it is the serializer's message.
    """
    first = details[0] if isinstance(details, list) else {}
    message = str(first.get("message", ""))
    return sentences.get(first.get("code", ""), sentences.get("", message))


def form_error_sentences(details: Any, sentences: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return one sentence for each field that has errors."""
    return {
        name: form_error_sentence(details[name], by_code)
        for name, by_code in sentences.items()
        if name in details
    }
