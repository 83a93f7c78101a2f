"""What the forms have in common that ask for work: one job however often one clicks, and a sentence
beside each field that is not right."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from django.urls import reverse

from jobs.engine.submission import submit
from jobs.web.api_responses import caller, request_id
from jobs.web.pages.shared import SeeOther, number

ONCE = re.compile("[0-9a-f]{32}")  # what tells one form from the next
NAME_ERRORS = {
    "max_length": "Use 200 characters at most.",
    "": "Use another name: this one has characters that no file can have.",
}


def new_form() -> str:
    """For its address: `?once=...`."""
    return uuid4().hex


def start(request: HttpRequest, asked: dict[str, Any]) -> SeeOther:
    """Submit what a form asks for, and go to its page. Raises LimitReached."""
    job, _ = submit(
        owner=caller(request), request_id=request_id(request), key=_key(request, asked), **asked
    )
    return SeeOther(reverse("job-page", args=[job.pk]))


def _key(request: HttpRequest, asked: dict[str, Any]) -> str:
    """Two clicks on one form are one job; something else asked for on the same form is another."""
    once = request.GET.get("once", "")
    if not ONCE.fullmatch(once):
        return ""
    told = json.dumps(asked | {"terms": asked["terms"].as_json()}, sort_keys=True).encode()
    return f"page-{once}-{hashlib.sha256(told).hexdigest()}"


def number_or_dirt(text: str) -> int | str:
    """What a serializer says is wrong with it, if it is no number."""
    found = number(text)
    return text if found is None else found


def sentence(details: Any, sentences: dict[str, str]) -> str:
    """For one field's errors, as DRF tells them in full: by the code, or the one for all others.

    Where there is none for all others, the serializer's own.
    """
    first = details[0] if isinstance(details, list) else {}
    own = str(first.get("message", ""))
    return sentences.get(first.get("code", ""), sentences.get("", own))
