"""The fields that every form has: whether to mail the owner, and the earliest start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Preferences, can_be_mailed

# The value of a datetime-local input, which has no time zone.
LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?", re.ASCII)
SENTENCES = {
    "runAt": {
        "too_far": "Choose a time within a year.",
        "repeated": "Leave this empty to repeat the download.",
        "": "Choose a date and time, or leave it empty.",
    },
    # What repeat.py asks for.
    "repeatAt": {},
    "repeatCron": {},
    "repeatZone": {},
}


@dataclass(frozen=True)
class FieldValues:
    """What the fields show. `run_at` is as typed if it is no valid time; then `at` is None."""

    can_mail: bool
    email: bool
    run_at: str
    at: datetime | None


def serializer_data(form: Mapping[str, Any], owner: User) -> dict[str, Any]:
    """Return the submitted fields as input of a TermsRequest.

    A form sends `email` twice if its box is ticked; the last value counts.
    """
    data: dict[str, Any] = {}
    if "email" in form and can_be_mailed(owner):
        data["email"] = form["email"] == "true"
    if run_at := with_zone(str(form.get("runAt", ""))):
        data["runAt"] = run_at
    return data


def field_values(form: Mapping[str, Any], owner: User) -> FieldValues:
    """Return the submitted values, or the owner's preferences for those that are missing."""
    run_at, at = local_time(str(form.get("runAt", "")))
    return FieldValues(
        can_mail=can_be_mailed(owner),
        email=can_be_mailed(owner) and _is_ticked(form, owner),
        run_at=run_at,
        at=at,
    )


def _is_ticked(form: Mapping[str, Any], owner: User) -> bool:
    return form["email"] == "true" if "email" in form else Preferences.of(owner).email


def local_time(text: str) -> tuple[str, datetime | None]:
    """Return the value of a datetime-local input, and its time; as typed if that is no time."""
    at = None
    with suppress(ValueError, OverflowError):
        at = timezone.localtime(datetime.fromisoformat(with_zone(text)))
    return (f"{at:%Y-%m-%dT%H:%M}" if at else text.strip()), at


def with_zone(text: str) -> str:
    """Return the time with its own zone, which pages.js adds, or else with the site's."""
    with suppress(ValueError, OverflowError):
        if LOCAL.fullmatch(text := text.strip()):
            return timezone.make_aware(datetime.fromisoformat(text)).isoformat()
    return text
